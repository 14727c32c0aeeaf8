"""Code of every Python back to source: the same instructions again, under that very Python."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from capsule.bytecode import Code, lift
from capsule.bytecode.code import as_written_by
from capsule.bytecode.equivalence import Unknown, difference, instruction_difference
from capsule.bytecode.python_versions import who_wrote
from capsule.bytecode.unmarshal import read_code
from tests.interpreters.finding import interpreter
from tests.interpreters.samples import SOURCES

MINORS = ["2.7", *(f"3.{minor}" for minor in range(4, 15))]
COMPILING = Path(__file__).parent / "compiling.py"
Ask = Callable[[list[tuple[str, list[str]]]], "list[bytes | None]"]

# What is not lifted, by the words in which it says so, and the Pythons of which that holds.
NOT_LIFTED = {
    "a print statement": ("2.7",),
    "a division in place": ("2.7",),
    "nested deeper than can be followed": ("3.8", "3.9"),
}
# Lifted to the same meaning by other instructions, where the compiler copied or shared an end.
WRITTEN_OTHERWISE = 0.05


@pytest.fixture(scope="module", params=MINORS)
def minor(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def ask(minor: str) -> Iterator[Ask]:
    """Give what compiles sources under that Python and returns the marshalled functions."""
    process = subprocess.Popen(
        [str(interpreter(minor)), "-W", "ignore", str(COMPILING)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def compiled(sources: list[tuple[str, list[str]]]) -> list[bytes | None]:
        print(json.dumps(sources), file=process.stdin, flush=True)
        answers = json.loads(process.stdout.readline())
        return [None if one is None else base64.b64decode(one) for one in answers]

    yield compiled
    process.stdin.close()
    process.stdout.close()
    process.wait()


@pytest.fixture(scope="module")
def written(ask: Ask, minor: str) -> list[tuple[str, list[str], bytes]]:
    """The samples that this Python has the syntax for, with their marshalled code."""
    made = ask(SOURCES)
    return [(text, free, data) for (text, free), data in zip(SOURCES, made) if data is not None]


def code_of(data: bytes, minor: str) -> Code:
    (raw,) = read_code(data)
    return as_written_by(raw, minor)


def test_the_python_that_wrote_it_is_in_the_range(
    written: list[tuple[str, list[str], bytes]], minor: str
) -> None:
    assert len(written) > 180
    for text, _, data in written:
        assert minor in who_wrote(data).pythons, text


def test_what_people_write_is_lifted_and_compiles_to_the_same_instructions(
    written: list[tuple[str, list[str], bytes]], minor: str, ask: Ask
) -> None:
    otherwise = []
    for text, free, data in written:
        code = code_of(data, minor)
        lifted = lift(code)
        if lifted.text is None:
            assert any(
                told in str(lifted.stopped) and minor in pythons
                for told, pythons in NOT_LIFTED.items()
            ), f"{text}: {lifted.stopped}"
            continue
        (again,) = ask([(lifted.text, free)])
        assert again is not None, f"{text} was lifted to what is no syntax: {lifted.text}"
        told = instruction_difference(code, code_of(again, minor))
        if told is not None:
            otherwise.append((text, lifted.text, told))
            assert difference(code, lifted.text) is None, text
    assert len(otherwise) <= WRITTEN_OTHERWISE * len(written), otherwise


def test_both_forms_compute_the_same_when_followed_step_by_step(
    written: list[tuple[str, list[str], bytes]], minor: str
) -> None:
    followed = 0
    for text, _, data in written:
        found = who_wrote(data)
        if found.lifted.text is None:
            continue
        code = code_of(data, minor)
        own = lift(code).text
        assert own is not None
        try:
            told = difference(code, own)
        except Unknown:
            continue
        followed += 1
        assert told is None, f"{text} became {own}: {told}"
    assert followed > 0.95 * len(written) - 5
