"""Code of every Python, read under whichever runs this: who wrote it, and what its source is."""

from __future__ import annotations

import ast
import base64
import json
from pathlib import Path
from typing import Any

import pytest

import capsule
from tests.bare import architecture, model_of

SAMPLES = json.loads((Path(__file__).parent / "code_samples.json").read_text())
# (source, code in base64, the Pythons that compiled the source to it)
CODES = [
    pytest.param(sample["source"], code, pythons, id=f"{pythons[0]} {sample['source'][:40]}")
    for sample in SAMPLES
    for code, pythons in sample["codes"].items()
]
AMBIGUOUS = [code for code in CODES if "x.a92" in code.values[0]]
# Before 3.8 a value of a dict was computed before its key: no source of today says that.
ORDER_OF_A_DICT = ("lambda x: {v.name: v.value()", "lambda x: {f(a): g(b)")


def read(folder: Path, code: str) -> Any:
    """Return what is read of a function in a model file."""
    entry = {
        "class_name": "Lambda",
        "name": "lam",
        "config": {
            "name": "lam",
            "function": [code, None, None],
            "function_type": "lambda",
            "module": "__main__",
        },
    }
    path = architecture(folder / "m.json", model_of(entry))
    (function,) = capsule.inspect(path, isolated=False).functions
    return function


def tree(source: str | None) -> str:
    return ast.dump(ast.parse(str(source)))


def damaged(code: str) -> str:
    """Return code as Keras on Windows writes it."""
    data = base64.b64decode(code).replace(b"\\", b"/")
    return base64.b64encode(data).decode("ascii")


def test_there_is_code_of_every_layout() -> None:
    pythons = {python for code in CODES for python in code.values[2]}
    assert {"2.7", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13"} <= pythons
    assert len(CODES) > 150


@pytest.mark.parametrize(("source", "code", "pythons"), CODES)
def test_its_source_and_its_pythons_are_known(
    tmp_path: Path, source: str, code: str, pythons: list[str]
) -> None:
    function = read(tmp_path, code)
    assert function.unread is None
    assert set(pythons) <= set(function.pythons)
    if source.startswith(ORDER_OF_A_DICT) and pythons[0] in ("2.7", "3.6", "3.7"):
        assert function.source is None
        assert "would compute otherwise" in function.stopped
    else:
        assert tree(function.source) == tree(source)
    assert function.damaged is None


UNPACKING = [
    code for code in CODES if code not in AMBIGUOUS and b"\\" in base64.b64decode(code.values[1])
]  # of Pythons up to 3.12: there 0x5c is UNPACK_SEQUENCE


@pytest.mark.parametrize(("source", "code", "pythons"), UNPACKING)
def test_what_windows_did_is_undone_and_told(
    tmp_path: Path, source: str, code: str, pythons: list[str]
) -> None:
    whole, function = read(tmp_path, code), read(tmp_path, damaged(code))
    assert function.source == whole.source
    assert function.damaged is not None
    assert set(pythons) <= set(function.pythons)
    assert function.key != whole.key  # of the bytes in the file, which are what Keras loads


@pytest.mark.parametrize(("source", "code", "pythons"), AMBIGUOUS)
def test_what_can_be_undone_in_several_ways_is_not_undone(
    tmp_path: Path, source: str, code: str, pythons: list[str]
) -> None:
    function = read(tmp_path, damaged(code))
    assert function.source is None
    assert function.damaged is None
    assert "no Python of its layout" in function.unread
