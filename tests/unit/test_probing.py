"""Which models get a probe, and what those that get none are told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from capsule.capture.probing import record_probe
from capsule.manifest import ModelFacts, Probe
from tests.unit.test_probe import numbers


class Answering:
    """A model that answers whatever it is asked with the same outputs."""

    def __init__(self, *outputs: Any) -> None:
        self._outputs = list(outputs)

    def __call__(self, inputs: Any, training: bool = False) -> Any:
        return self._outputs


def probe_of(*outputs: Any) -> Probe:
    inputs = np.zeros(2, "float32")
    return record_probe(Answering(*outputs), ModelFacts("Model"), inputs, whole=True)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "complex64", "int32", "bool"])
def test_outputs_that_can_be_compared_are_recorded(dtype: str) -> None:
    probe = probe_of(np.zeros(1), numbers([1, 0], dtype))
    assert probe.skipped is None
    assert probe.outputs[1]["dtype"] == dtype


@pytest.mark.parametrize("output", [np.array(["a"]), np.array([b"a"]), np.array([None])])
def test_outputs_that_are_no_numbers_are_not(output: Any) -> None:
    assert probe_of(np.zeros(1), output).skipped == "its outputs are not numbers"
