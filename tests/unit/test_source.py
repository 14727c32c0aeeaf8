"""The exact text of a function, and no other's."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from capsule.capture.source import SourceFinder


def text_of(function: Any) -> Any:
    return SourceFinder().find(function)


def test_a_lambda_without_the_rest_of_its_line() -> None:
    f = lambda x: x * 2
    assert text_of(f).text == "lambda x: x * 2"


def test_each_of_several_lambdas_on_one_line() -> None:
    f, g = (lambda x: x + 1), (lambda x: x - 1)
    assert text_of(f).text == "lambda x: x + 1"
    assert text_of(g).text == "lambda x: x - 1"


def test_a_lambda_over_several_lines_inside_a_call() -> None:
    # fmt: off
    f = dict(first=lambda x: (
        x,
        "a # string"), second=2)["first"]
    # fmt: on
    assert text_of(f).text == 'lambda x: (\n        x,\n        "a # string")'  # type: ignore[arg-type]


def test_a_lambda_behind_wide_characters() -> None:
    f = ("ä→", lambda x: x)[1]
    assert text_of(f).text == "lambda x: x"


def test_a_nested_def_with_closure_defaults_and_annotations() -> None:
    n = 3

    def helper(x: int, k: int = n, *, z: str = "z") -> Any:
        """Text
        over lines."""
        return [x * n for _ in range(k)] or helper(x)

    found = text_of(helper)
    assert found.text.lstrip().startswith("def helper(x: int")
    assert found.text.endswith("or helper(x)")


def test_the_function_behind_a_decorator() -> None:
    def logged(f: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(f)
        def inner(*a: Any) -> Any:
            return f(*a)

        return inner

    @logged
    def shown(x: Any) -> Any:
        return x

    assert "def inner(*a" in text_of(shown).text
    assert "def shown(x" in text_of(shown.__wrapped__).text  # type: ignore[attr-defined]


def test_no_source_is_told_and_never_made_up() -> None:
    found = text_of(eval("lambda x: x + 5"))
    assert found.text is None
    assert "<string>" in found.reason


def test_a_file_that_changed_since_is_not_believed(tmp_path: Any) -> None:
    path = tmp_path / "changed.py"
    path.write_text("def f(x):\n    return x + 1\n")
    scope: dict[str, Any] = {}
    exec(compile(path.read_text(), str(path), "exec"), scope)
    path.write_text("def f(x):\n    return x + 2\n")
    found = text_of(scope["f"])
    assert found.text is None
    assert "is not what runs" in found.reason


@pytest.mark.parametrize("text", ["def f(:\n", ""])
def test_a_file_that_is_no_python_is_no_source(tmp_path: Any, text: str) -> None:
    path = tmp_path / "broken.py"
    scope: dict[str, Any] = {}
    exec(compile("def f(x):\n    return x\n", str(path), "exec"), scope)
    path.write_text(text)
    assert text_of(scope["f"]).text is None
