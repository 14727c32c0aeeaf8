"""Every finding code is explained, and what is published of the codes is what the registry says."""

from __future__ import annotations

import json
import re

import pytest

from capsule.report.findings import code_json, code_lines, codes_enum, sample_sentence
from capsule.verdict.codes import REGISTRY, distributions, environment, files, functions
from capsule.verdict.codes import serialization as storage
from capsule.verdict.finding import Code
from tests.unit.verdict.test_codes import ROWS
from tools.finding_pages import FOLDER, pages

ROOMS = (files, environment, distributions, functions, storage)
CASES = [case for code in REGISTRY.values() for case in (code, *code.variants)]
# Words that say nothing to somebody who reads of capsule for the first time.
BANNED = re.compile(
    r"\b(told|fears|prospects|doubts|lifted|carried|no one|riddle|hands out)\b", re.IGNORECASE
)
each_code = pytest.mark.parametrize("code", REGISTRY.values(), ids=lambda code: code.name)
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}-{case.severity}")


def test_the_folder_holds_what_the_registry_says() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert written == pages(), "make them anew: python tools/finding_pages.py"


def test_every_link_of_the_table_leads_to_a_page() -> None:
    targets = re.findall(r"\]\(([^)]+)\)", (FOLDER / "index.md").read_text(encoding="utf-8"))
    assert targets == [f"{name}.md" for name in codes_enum()]
    assert all((FOLDER / target).is_file() for target in targets)


def test_the_published_list_names_every_code() -> None:
    listed = json.loads((FOLDER / "codes.json").read_text(encoding="utf-8"))
    assert [entry["code"] for entry in listed] == codes_enum() == sorted(REGISTRY)


@each_code
def test_a_name_is_lower_case_words_with_hyphens(code: Code) -> None:
    assert re.fullmatch(r"[a-z]+[a-z0-9]*(-[a-z0-9]+)*", code.name)


def test_a_name_stands_for_one_title_in_one_module() -> None:
    titles = {(room.__name__, code.name, code.title) for room in ROOMS for code in room.CODES}
    assert len(titles) == len(REGISTRY)


def test_every_code_of_a_module_is_registered() -> None:
    defined = [code for room in ROOMS for code in vars(room).values() if isinstance(code, Code)]
    assert {(c.name, c.severity, c.decides, c.message) for c in defined} == {
        (c.name, c.severity, c.decides, c.message) for c in CASES
    }


@each_code
def test_a_code_is_explained_with_an_example(code: Code) -> None:
    assert 2 <= len(re.findall(r"[.:](?= [A-Za-z`]|$)", code.explanation)) <= 6
    assert code.example
    assert len(max(code.example.splitlines(), key=len)) <= 100


@each_code
def test_an_example_is_code_that_can_be_read(code: Code) -> None:
    if code.example.startswith("{"):
        json.loads(code.example.replace("…", '"…"').replace('{"…"}', "{}"))
    elif not code.example.startswith("$"):
        compile(code.example.replace("[…]", "[...]"), code.name, "exec")


@each_case
def test_a_case_that_decides_something_says_what_to_do(case: Code) -> None:
    assert bool(case.decides) == (case.severity != "note")
    assert case.cure or not case.decides


@each_code
def test_each_case_of_a_code_says_when_it_applies(code: Code) -> None:
    cases = [case.case for case in (code, *code.variants)]
    assert not code.variants or all(text.startswith("if ") for text in cases)
    assert len(set(cases)) == len(cases)


@each_case
def test_the_sample_fills_the_sentence(case: Code) -> None:
    fields = re.findall(r"(?<!{){(\w+)(?:!r)?}", case.message + case.cure)
    assert set(fields) <= case.sample.keys()
    assert not re.search(r"{\w", sample_sentence(case))
    assert re.search(r"\w", sample_sentence(case))


@each_code
def test_a_sample_holds_nothing_that_no_case_uses(code: Code) -> None:
    texts = [case.message + case.cure for case in (code, *code.variants)]
    assert all(any(f"{{{name}" in text for text in texts) for name in code.sample)


@each_code
def test_no_text_needs_a_second_reading(code: Code) -> None:
    for case in (code, *code.variants):
        text = " ".join((case.title, case.message, case.cure, case.explanation, case.case))
        assert not BANNED.search(text)
    assert not BANNED.search("\n".join(code_lines(code)))


@each_code
def test_a_page_on_a_terminal_fits_it(code: Code) -> None:
    lines = list(code_lines(code))
    assert all(f"{section}:" in lines for section in ("What it means", "Example"))
    start, end = lines.index("Example:"), lines.index("What capsule says:")
    prose = "\n".join(lines[:start] + lines[end:])
    assert "`" not in prose
    assert "**" not in prose
    assert all(
        severity in lines[0] for severity in {c["severity"] for c in code_json(code)["cases"]}
    )


def test_every_finding_that_a_rule_gives_is_a_registered_case() -> None:
    registered = {(case.name, case.severity, case.decides) for case in CASES}
    for row in ROWS:
        for effect in (row.effect, *row.side_effects, *row.neighbour_effects):
            assert tuple(effect) in registered, f"{row.title}: {effect}"
