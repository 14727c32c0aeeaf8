"""The probe: inputs and outputs of a model at save, so that "computes the same" can be checked."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable
from typing import Any

from capsule.guest import probe as guest
from capsule.guest.keras_adapter import call
from capsule.manifest import ModelFacts, Probe

LIMIT = 256 * 1024
ELEMENTS_LIMIT = 16 * 1024 * 1024


def record_probe(model: Any, facts: ModelFacts, choice: Any, *, whole: bool) -> Probe:
    """Return the probe of *model*, or one that says why there is none.

    *choice* are the caller's inputs (an array or a list), or True for inputs that capsule
    makes, or False for no probe. Calls ``model(x, training=False)`` once.
    """
    reason = _reason_to_skip(facts, choice, whole)
    if reason is not None:
        return Probe(skipped=reason)
    specs: list[dict[str, Any]] = []
    try:
        if choice is True:
            specs = _specs(model, facts)
            arrays = guest.make_inputs(specs)
        else:
            arrays = _arrays(choice)
        outputs = _outputs(model, facts, arrays)
    except ValueError as error:
        return Probe(skipped=str(error))
    probe = Probe(
        inputs=tuple(specs),
        examples=() if choice is True else tuple(_whole(array) for array in arrays),
        outputs=tuple(guest.record(output) for output in outputs),
    )
    size = len(json.dumps([probe.inputs, probe.examples, probe.outputs]))
    if size > LIMIT:
        return Probe(skipped=f"it would take {size >> 10} KiB, over {LIMIT >> 10}")
    return probe


def _reason_to_skip(facts: ModelFacts, choice: Any, whole: bool) -> str | None:
    if choice is False:
        return "left out as asked"
    if not whole:
        return "not taken inside ModelCheckpoint"
    if facts.unbuilt:
        return f"{', '.join(facts.unbuilt)} was never built"
    if facts.stateful:
        return f"{', '.join(facts.stateful)} has state that a call would change"
    return None


def _outputs(model: Any, facts: ModelFacts, arrays: list[Any]) -> list[Any]:
    """Return what *model* computes of *arrays*, nothing of it or of NumPy being changed by that.

    Raises ValueError, which says why, if it computes nothing that a probe can hold.
    """
    import numpy

    state = _State(model) if facts.custom else None
    random = numpy.random.get_state()
    try:
        outputs: list[Any] = call(model, arrays)
    except Exception as error:  # noqa: BLE001 - the user's code, on inputs it never asked for
        message = f"the model raised on the probe's inputs: {_first_line(error)}"
        raise ValueError(message) from None
    finally:
        numpy.random.set_state(random)
        changed = state is not None and state.restore()
    if changed:
        raise ValueError("a call changes it: its own layers have state")
    if not all(_is_comparable(output.dtype) for output in outputs):
        raise ValueError("its outputs are not numbers")
    return outputs


def _is_comparable(dtype: Any) -> bool:
    # To numpy bfloat16 is of no kind of number.
    return dtype.kind in "biufc" or dtype.name in guest.TOLERANCES


class _State:
    """The weights of a model before a call that might change them, as its own layers may."""

    def __init__(self, model: Any) -> None:
        self._layers = [layer for layer in _layers(model) if layer.weights]
        self._before = [layer.get_weights() for layer in self._layers]

    def restore(self) -> bool:
        """Set the weights to what they were; return whether they had changed."""
        import numpy

        changed = False
        for layer, before in zip(self._layers, self._before):
            now = layer.get_weights()
            same = zip(before, now)
            if len(before) != len(now) or not all(numpy.array_equal(a, b) for a, b in same):
                changed = True
                layer.set_weights(before)
        return changed


def _specs(model: Any, facts: ModelFacts) -> list[dict[str, Any]]:
    if not facts.inputs:
        raise ValueError("the model's input shapes are not known: give inputs with probe=x")
    indices = any(
        "Embedding" in kind.__name__ for layer in _layers(model) for kind in type(layer).__mro__
    )
    specs = []
    for number, tensor in enumerate(facts.inputs):
        shape = [size if size is not None else guest.FREE_LENGTH for size in tensor.shape]
        if tensor.shape and tensor.shape[0] is None:
            shape[0] = guest.BATCH
        if math.prod(shape) > ELEMENTS_LIMIT:
            raise ValueError(f"input {tensor.name} is too large to make")
        # Whole numbers may be indices of anything: 0 and 1 are the safest ones.
        whole = tensor.dtype.startswith(("int", "uint")) or indices
        low, high = (0, 2) if whole else (-1, 1)
        specs.append(
            {
                "shape": shape,
                "dtype": tensor.dtype,
                "seed": guest.SEED + number,
                "low": low,
                "high": high,
            }
        )
    return specs


def _layers(model: Any) -> Iterable[Any]:
    layers: Iterable[Any] = model._flatten_layers(include_self=False)
    return layers


def _arrays(inputs: Any) -> list[Any]:
    import numpy

    if isinstance(inputs, dict):
        raise ValueError("give the probe's inputs as an array or a list in the model's order")
    arrays = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    return [numpy.asarray(array) for array in arrays]


def _whole(array: Any) -> dict[str, Any]:
    import numpy

    raw = numpy.asarray(array, order="C").tobytes()
    return {
        "shape": list(array.shape),
        "dtype": array.dtype.name,
        "base64": base64.b64encode(raw).decode("ascii"),
    }


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200] if lines else ''}"
