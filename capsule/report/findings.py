"""Finding codes for a person: a page each, and all of them in a list."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from capsule.verdict.codes import REGISTRY
from capsule.verdict.finding import SEVERITIES, Code, Question

WIDTH = 88
_QUESTIONS: dict[Question, str] = {
    "keras": "plain Keras loads it",
    "capsule": "capsule.load brings it back",
    "same": "it computes the same",
}
_ANSWERS = {"fatal": "no", "warning": "unknown"}
# What stands in a cure on its page, where no finding fills it in.
_PLACEHOLDERS = {
    "subject": "NAME",
    "expected": "EXPECTED",
    "distribution": "DISTRIBUTION",
    "api": "API",
    "function": "FUNCTION",
}
_LEGEND = {
    "NAME": "what the finding is about",
    "EXPECTED": "what was there at the save",
    "DISTRIBUTION": "what pip calls it",
    "FUNCTION": "the function that uses it",
    "API": "what that function calls",
    "MODEL": "your file",
}
_COMMAND = re.compile(r"capsule replay MODEL(?: --[a-z]+)*")


class Section(NamedTuple):
    """A part of a code's page: paragraphs in Markdown, or lines that stand as they are."""

    title: str
    body: tuple[str, ...]
    verbatim: bool = False


def listing_lines(codes: Iterable[Code]) -> Iterator[str]:
    """Give a line for each code."""
    codes = list(codes)
    width = max(len(code.name) for code in codes)
    for code in codes:
        yield f"{code.name:<{width}}  {code.severity:<8}{code.title}"
    yield ""
    yield "capsule explain CODE says what it means and what to do"


def code_lines(code: Code) -> Iterator[str]:
    """Give the page of one code as it is printed on a terminal."""
    yield f"{code.name}: {code.title} ({_joined(severities(code), 'or')})"
    for section in _sections(code):
        yield ""
        yield f"{section.title}:"
        for paragraph in section.body:
            # In a terminal neither code nor emphasis has marks, and a quotation is indented.
            text = paragraph.replace("`", "").replace("**", "")
            quoted = text.startswith("> ")
            indent = "      " if quoted else "  "
            lines = textwrap.wrap(text[2:] if quoted else text, WIDTH - len(indent))
            for line in [paragraph] if section.verbatim else lines:
                yield f"{indent}{line}".rstrip()


def code_page(code: Code) -> str:
    """Return the page of one code in Markdown, as it stands in ``docs/findings``."""
    lines = [f"# {code.name}", "", f"{code.title} ({_joined(severities(code), 'or')}).", ""]
    for section in _sections(code):
        lines += [f"## {section.title}", ""]
        if section.verbatim:
            lines += [f"```{_language(code.example)}", *section.body, "```", ""]
            continue
        for paragraph in section.body:
            prefix = "> " if paragraph.startswith("> ") else ""
            text = paragraph[len(prefix) :].replace("<", "&lt;")
            lines += [*_wrapped(text, prefix), ""]
    return "\n".join(lines).rstrip() + "\n"


def _wrapped(text: str, prefix: str = "") -> list[str]:
    """Return Markdown in lines of the page's width, code in backticks on one line each."""
    whole = re.sub(r"`[^`]+`", lambda code: code[0].replace(" ", "\0"), text)
    lines = textwrap.wrap(
        whole, WIDTH, initial_indent=prefix, subsequent_indent=prefix, break_on_hyphens=False
    )
    return [line.replace("\0", " ") for line in lines]


def _joined(words: list[str], conjunction: str) -> str:
    """Return *words* as a sentence lists them."""
    *first, last = words
    return f"{', '.join(first)} {conjunction} {last}" if first else last


def index_page(codes: Iterable[Code]) -> str:
    """Return the table of all codes in Markdown."""
    rows = [
        f"| [{code.name}]({code.name}.md) | {', '.join(severities(code))} | {code.title} |"
        for code in codes
    ]
    intro = (
        "Each finding of `capsule verify` has a code, which stays the same between releases. A"
        " fatal finding answers a question with no, a warning with unknown, and a note only"
        " informs. `capsule explain CODE` prints the page of a code."
    )
    head = ["# Finding codes", "", *_wrapped(intro), ""]
    return "\n".join([*head, "| code | severity | title |", "| --- | --- | --- |", *rows]) + "\n"


def severities(code: Code) -> list[str]:
    """Return the severities that findings of a code come with, the gravest first."""
    present = {case.severity for case in (code, *code.variants)}
    return [severity for severity in SEVERITIES if severity in present]


def _sections(code: Code) -> Iterator[Section]:
    yield Section("What it means", (code.explanation,))
    yield Section("Example", tuple(code.example.splitlines()), verbatim=True)
    cases = (code, *code.variants)
    # Cases that differ in what they decide alone have one sentence.
    said = dict.fromkeys(line for case in cases for line in _case(case))
    yield Section("What capsule says", tuple(said))
    cures = dict.fromkeys(_in_general(case.cure) for case in cases if case.cure)
    if cures:
        legend = _legend(" ".join(cures))
        yield Section("What to do", (*cures, legend) if legend else tuple(cures))


def _case(code: Code) -> Iterator[str]:
    """Give the severity of a case and what it decides, and the sentence of a finding."""
    yield f"**{code.severity}**{f' {code.case}' if code.case else ''}. {decision(code)}"
    yield f"> {sample_sentence(code)}"


def decision(code: Code) -> str:
    """Return which questions a code answers, and how, in one sentence."""
    answer = _ANSWERS.get(code.severity)
    if answer is None or not code.decides:
        return "It changes no answer."
    questions = _joined([f"“{_QUESTIONS[question]}”" for question in code.decides], "and")
    return f"The answer to {questions} is {answer}."


def sample_sentence(code: Code) -> str:
    """Return the sentence of a finding of this code: of its example, where it names things."""
    parts = (code.message, code.cure)
    return "; ".join(part.format_map(code.sample) for part in parts if part)


def _in_general(cure: str) -> str:
    """Return a cure as a sentence for every finding of its code."""
    text = cure.replace("!r", "").format_map(_PLACEHOLDERS)
    text = _COMMAND.sub(lambda command: f"`{command[0]}`", text)
    return f"{text[:1].upper()}{text[1:]}."


def _legend(text: str) -> str:
    """Return what the words in capitals in *text* stand for."""
    used = [f"{word} stands for {what}" for word, what in _LEGEND.items() if word in text]
    return f"{'; '.join(used)}." if used else ""


def _language(example: str) -> str:
    """Return the language of an example, as a fence of Markdown names it."""
    return {"$": "console", "{": "json"}.get(example[:1], "python")


def codes_enum() -> list[str]:
    """Return the name of every finding code, for the JSON schema of a finding."""
    return sorted(REGISTRY)


def code_json(code: Code) -> dict[str, Any]:
    """Return a code as JSON data."""
    return {
        "code": code.name,
        "title": code.title,
        "severity": code.severity,
        "decides": list(code.decides),
        "explanation": code.explanation,
        "example": code.example,
        "remedy": code.cure,
        "cases": [
            {"severity": case.severity, "decides": list(case.decides), "case": case.case}
            for case in (code, *code.variants)
        ],
    }
