"""Whatever expression is read back from its code computes the same; else none is given."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsule.bytecode import adapt, decompile_code
from capsule.capture.source import compiles_to

RATE = 3
leaves = st.sampled_from(["x", "k", "RATE", "abs(x)", "'a'", "(1, 2.5)", "None", "-1"])
expressions = st.recursive(
    leaves,
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "<", "is"]), inner)
        | st.builds("[{}, {}]".format, inner, inner)
        | st.builds("[{}, {}][{}:]".format, inner, inner, st.integers(-2, 2))
        | st.builds("max({}, {}, key=str)".format, inner, inner)
        | st.builds("(not {})".format, inner)
        | st.builds("{{'k': {}}}['k']".format, inner)
        | st.builds("({} if {} else {})".format, inner, inner, inner)
        | st.builds("str({}).join(['b', 'c'])".format, inner)
    ),
    max_leaves=8,
)


@given(expressions, st.integers(-5, 5))
@settings(max_examples=150, deadline=None)
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_what_is_decompiled_is_the_same_code(expression: str, x: int) -> None:
    function = eval(f"lambda x, k=2: {expression}")
    text = decompile_code(adapt(function.__code__)).source
    if text is None or not compiles_to(text, function.__code__):
        return  # unknown is an answer: then the sidecar holds the bytecode
    decompiled = eval(text.replace("lambda x, k:", "lambda x, k=2:"))

    def outcome(callable_: object) -> object:
        try:
            return callable_(x)  # type: ignore[operator]
        except Exception as error:
            return type(error)

    assert repr(outcome(decompiled)) == repr(outcome(function))


@pytest.mark.parametrize(
    "expression", ["x * 2 + RATE", "abs(x)[:, 0:2]", "f(x, axis=-1)", "x[..., 1].mean(k)", "(x,)"]
)
def test_what_people_write_in_a_lambda_is_decompiled(expression: str) -> None:
    code = eval(f"lambda x, k: {expression}").__code__
    text = decompile_code(adapt(code)).source
    assert text is not None
    assert compiles_to(text, code)
