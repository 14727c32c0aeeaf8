"""Code of every Python back to source: the same instructions again, under that very Python."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from capsule.bytecode import Code, decompile_code
from capsule.bytecode.code import decode_code
from capsule.bytecode.detect_python import detect_python_versions
from capsule.bytecode.equivalence import Unknown, difference, instruction_difference
from capsule.bytecode.unmarshal import read_code
from tests.interpreters.finding import interpreter
from tests.interpreters.samples import SOURCES

MINORS = ["2.7", *(f"3.{minor}" for minor in range(4, 15))]
COMPILING = Path(__file__).parent / "compiling.py"
Ask = Callable[[list[tuple[str, list[str]]]], "list[bytes | None]"]

# What is not decompiled, by the words in which it says so, and the Pythons of which that holds.
NOT_DECOMPILED = {
    "a print statement": ("2.7",),
    "a division in place": ("2.7",),
    "nested deeper than can be followed": ("3.8", "3.9"),
}
# Decompiled to the same meaning by other instructions, where the compiler copied or shared an end.
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
        return [None if code is None else base64.b64decode(code) for code in answers]

    yield compiled
    process.stdin.close()
    process.stdout.close()
    process.wait()


@pytest.fixture(scope="module")
def written(ask: Ask, minor: str) -> list[tuple[str, list[str], bytes]]:
    """The samples that this Python has the syntax for, with their marshalled code."""
    codes = ask(SOURCES)
    return [(text, free, data) for (text, free), data in zip(SOURCES, codes) if data is not None]


def code_of(data: bytes, minor: str) -> Code:
    (raw,) = read_code(data)
    return decode_code(raw, minor)


def test_the_python_that_wrote_it_is_in_the_range(
    written: list[tuple[str, list[str], bytes]], minor: str
) -> None:
    assert len(written) > 180
    for text, _, data in written:
        assert minor in detect_python_versions(data).pythons, text


def test_what_people_write_is_decompiled_and_compiles_to_the_same_instructions(
    written: list[tuple[str, list[str], bytes]], minor: str, ask: Ask
) -> None:
    otherwise = []
    for text, free, data in written:
        code = code_of(data, minor)
        decompilation = decompile_code(code)
        if decompilation.source is None:
            assert any(
                words in str(decompilation.reason) and minor in pythons
                for words, pythons in NOT_DECOMPILED.items()
            ), f"{text}: {decompilation.reason}"
            continue
        (data_again,) = ask([(decompilation.source, free)])
        assert data_again is not None, f"{text} is no syntax now: {decompilation.source}"
        other_steps = instruction_difference(code, code_of(data_again, minor))
        if other_steps is not None:
            otherwise.append((text, decompilation.source, other_steps))
            assert difference(code, decompilation.source) is None, text
    assert len(otherwise) <= WRITTEN_OTHERWISE * len(written), otherwise


def test_both_forms_compute_the_same_when_followed_step_by_step(
    written: list[tuple[str, list[str], bytes]], minor: str
) -> None:
    followed = 0
    for text, _, data in written:
        if detect_python_versions(data).decompilation.source is None:
            continue
        code = code_of(data, minor)
        own = decompile_code(code).source
        assert own is not None
        try:
            how = difference(code, own)
        except Unknown:
            continue
        followed += 1
        assert how is None, f"{text} became {own}: {how}"
    assert followed > 0.95 * len(written) - 5
