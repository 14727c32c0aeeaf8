"""Whatever bytes a file holds, reading them ends in an answer or in one sentence."""

from __future__ import annotations

import json
import marshal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from capsule.artifact import identify
from capsule.bytecode import adapt
from capsule.bytecode.detect_python import detect_python_versions
from capsule.bytecode.equivalence import difference
from capsule.bytecode.unmarshal import MarshalError, read_code
from capsule.errors import ArtifactError
from capsule.inspection.functions import read_here
from tests.bare import architecture, keras_2_lambda, model_of

tf = None


def sample(x: Any) -> Any:
    """What people write."""
    total = 0
    for i, part in enumerate(x):
        if i > 2 and part:
            break
        total += sum([p * 2 for p in part]) if i else tf.abs(part)
    return total


CODE = marshal.dumps(sample.__code__)
many = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
changes = st.lists(
    st.tuples(st.integers(0, len(CODE) - 1), st.integers(0, 255)), min_size=1, max_size=4
)


@given(st.binary(max_size=400))
@many
def test_any_bytes_are_code_or_refused(data: bytes) -> None:
    try:
        read_code(data)
    except MarshalError as error:
        assert "\n" not in str(error)


@given(changes)
@many
def test_code_of_which_some_bytes_changed_is_read_or_refused(places: list[tuple[int, int]]) -> None:
    made = bytearray(CODE)
    for place, byte in places:
        made[place] = byte
    try:
        found = detect_python_versions(bytes(made))
    except MarshalError:
        return
    assert found.pythons
    assert (found.decompilation.source is None) == (found.decompilation.reason is not None)


@given(st.text(max_size=60), st.integers(0, 4000), st.integers(0, 60))
@example("", 0, 0)
@many
def test_an_architecture_of_which_some_changed_is_read_or_refused(
    tmp_path: Path, put: str, at: int, gone: int
) -> None:
    path = architecture(tmp_path / "m.json", model_of(keras_2_lambda(sample)))
    text = path.read_text()
    path.write_text(text[:at] + put + text[at + gone :], errors="surrogatepass")
    try:
        read = read_here(path, identity=identify(path))
        json.dumps(read)
    except ArtifactError as error:
        assert str(path) in str(error)


def test_a_source_that_computes_something_else_is_told() -> None:
    code = adapt((lambda x, y: x + tf.abs(y) if x else y).__code__)
    assert difference(code, "lambda x, y: x + tf.abs(y) if x else y") is None
    for wrong in (
        "lambda x, y: tf.abs(y) + x if x else y",
        "lambda x, y: x + tf.abs(x) if x else y",
        "lambda x, y: x + tf.abs(y) if y else y",
        "lambda x, y: x - tf.abs(y) if x else y",
        "lambda x, y: y if x else x + tf.abs(y)",
    ):
        assert difference(code, wrong) is not None, wrong
