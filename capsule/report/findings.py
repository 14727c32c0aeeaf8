"""Finding codes for a person: a page each, and all of them in a list."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from capsule.verdict.finding import Code, Question

WIDTH = 88
_QUESTIONS: dict[Question, str] = {
    "keras": "plain Keras loads it",
    "capsule": "capsule.load brings it back",
    "same": "it computes the same",
}
_ANSWERS = {"fatal": "no", "warning": "unknown"}


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
    yield f"{code.name}: {code.title} ({code.severity})"
    for title, body in _sections(code):
        yield ""
        yield f"{title}:"
        verbatim = title == "Example"
        lines = body.splitlines() if verbatim else textwrap.wrap(body, WIDTH - 2)
        yield from (f"  {line}".rstrip() for line in lines)


def code_page(code: Code) -> str:
    """Return the page of one code in Markdown, as it stands in ``docs/findings``."""
    lines = [f"# {code.name}", "", f"**{code.title}** ({code.severity})", ""]
    for title, body in _sections(code):
        block = f"```\n{body}\n```" if title == "Example" else "\n".join(textwrap.wrap(body, WIDTH))
        lines += [f"## {title}", "", block, ""]
    return "\n".join(lines).rstrip() + "\n"


def _sections(code: Code) -> Iterator[tuple[str, str]]:
    if code.explanation:
        yield "What it means", code.explanation
    yield "What it decides", decision(code)
    if code.example:
        yield "Example", code.example
    if code.cure:
        yield "What to do", _readable(code.cure)


def decision(code: Code) -> str:
    """Return which questions a code answers, and how, in one sentence."""
    answer = _ANSWERS.get(code.severity)
    if answer is None or not code.decides:
        return "Nothing: it is told so that you know."
    questions = " and ".join(f"“{_QUESTIONS[question]}”" for question in code.decides)
    return f"It answers {questions} with {answer}."


def _readable(template: str) -> str:
    """Return a message's template as a sentence: what is filled in stands in capitals."""
    names = {"subject": "NAME", "expected": "EXPECTED", "found": "FOUND"}

    class Names(dict[str, str]):
        def __missing__(self, name: str) -> str:
            return name.upper()

    text = template.replace("!r", "").format_map(Names(names))
    return text[:1].upper() + text[1:] + "."


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
    }
