"""Recorded inputs and outputs: how "computes the same" is checked.

Inputs are made, not stored: a seed, shapes and ranges give the same numbers under
every Python and numpy, since the generator is written out here.
"""

import base64
import hashlib
from typing import Any, Dict, List, Sequence

SEED = 20
BATCH = 2
FREE_LENGTH = 8  # stands for every other dimension that the model leaves open
WHOLE_LIMIT = 16 * 1024
POSITIONS = 1000

# By what the numbers can still tell apart after other kernels computed them.
TOLERANCES = {
    "float64": (1e-7, 1e-9),
    "float32": (1e-4, 1e-5),
    "float16": (1e-2, 1e-3),
}


def uniform(seed: int, count: int) -> Any:
    """Return *count* float64 in [0, 1) from *seed*: SplitMix64, by numpy's uint64."""
    import numpy

    u64 = numpy.uint64
    start = u64((seed * 0x9E3779B97F4A7C15) % 2**64)
    state = start + numpy.arange(1, count + 1, dtype=u64) * u64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> u64(30))) * u64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> u64(27))) * u64(0x94D049BB133111EB)
    state = state ^ (state >> u64(31))
    return (state >> u64(11)).astype("float64") * 2.0**-53


def make_inputs(specs: Sequence[Dict[str, Any]]) -> List[Any]:
    """Return one array for each spec: ``{"shape", "dtype", "seed", "low", "high"}``."""
    import numpy

    arrays = []
    for spec in specs:
        dtype = numpy.dtype(spec["dtype"])
        if dtype.kind not in "biuf":
            raise ValueError("no input of dtype %s can be made" % spec["dtype"])
        count = 1
        for size in spec["shape"]:
            count *= size
        unit = uniform(spec["seed"], count)
        if dtype.kind == "b":
            numbers = unit < 0.5
        else:
            numbers = spec["low"] + unit * (spec["high"] - spec["low"])
            if dtype.kind in "iu":
                numbers = numpy.floor(numbers)
        arrays.append(numbers.astype(dtype).reshape(spec["shape"]))
    return arrays


def positions(size: int) -> Any:
    """Return the flat indices at which a large output is compared: fixed, spread, sorted."""
    import numpy

    if size <= POSITIONS:
        return numpy.arange(size)
    spread = (uniform(SEED, POSITIONS) * size).astype("int64")
    return numpy.unique(spread)


def record(array: Any) -> Dict[str, Any]:
    """Return the JSON record of one output: whole where small, else digest and positions."""
    import numpy

    array = numpy.asarray(array, order="C")
    made: Dict[str, Any] = {"shape": list(array.shape), "dtype": array.dtype.name}
    raw = array.tobytes()
    if len(raw) <= WHOLE_LIMIT:
        made["base64"] = base64.b64encode(raw).decode("ascii")
    else:
        made["sha256"] = hashlib.sha256(raw).hexdigest()
        sample = array.reshape(-1)[positions(array.size)]
        made["sample"] = base64.b64encode(sample.tobytes()).decode("ascii")
    return made


def compare(records: Sequence[Dict[str, Any]], arrays: Sequence[Any]) -> Dict[str, Any]:
    """Compare recorded outputs with *arrays*.

    Returns ``{"agrees", "exactly", "max_abs", "max_rel", "rtol", "atol", "reason"}``;
    ``reason`` is None where they agree.
    """
    import numpy

    result: Dict[str, Any] = {
        "agrees": True,
        "exactly": True,
        "max_abs": 0.0,
        "max_rel": 0.0,
        "rtol": 0.0,
        "atol": 0.0,
        "reason": None,
    }
    if len(records) != len(arrays):
        return _disagree(result, "%d outputs, %d were recorded" % (len(arrays), len(records)))
    for index, (kept, array) in enumerate(zip(records, arrays)):
        array = numpy.asarray(array, order="C")
        if list(array.shape) != list(kept["shape"]) or array.dtype.name != kept["dtype"]:
            found = (index, array.dtype.name, list(array.shape), kept["dtype"], kept["shape"])
            return _disagree(result, "output %d is %s %s, recorded was %s %s" % found)
        if "base64" in kept:
            expected = numpy.frombuffer(base64.b64decode(kept["base64"]), dtype=array.dtype)
            found = array.reshape(-1)
        else:
            expected = numpy.frombuffer(base64.b64decode(kept["sample"]), dtype=array.dtype)
            found = array.reshape(-1)[positions(array.size)]
            if hashlib.sha256(array.tobytes()).hexdigest() != kept["sha256"]:
                result["exactly"] = False
        _compare_one(result, index, expected, found)
    return result


def _compare_one(result: Dict[str, Any], index: int, expected: Any, found: Any) -> None:
    import numpy

    same = expected == found
    if expected.dtype.kind == "f":
        same |= numpy.isnan(expected) & numpy.isnan(found)
    if same.all():
        return
    result["exactly"] = False
    rtol, atol = TOLERANCES.get(expected.dtype.name, (0.0, 0.0))
    result["rtol"], result["atol"] = max(result["rtol"], rtol), max(result["atol"], atol)
    kind = "complex128" if expected.dtype.kind == "c" else "float64"
    a, b = expected[~same].astype(kind), found[~same].astype(kind)
    with numpy.errstate(all="ignore"):
        gap = numpy.abs(a - b)
        relative = gap / numpy.abs(a)
        fits = gap <= atol + rtol * numpy.abs(a)
    finite = numpy.isfinite(gap)
    if finite.any():
        result["max_abs"] = max(result["max_abs"], float(gap[finite].max()))
    if numpy.isfinite(relative).any():
        finite_relative = relative[numpy.isfinite(relative)]
        result["max_rel"] = max(result["max_rel"], float(finite_relative.max()))
    if not fits.all():
        _disagree(
            result,
            "output %d differs at %d of %d values compared"
            % (index, int((~fits).sum()), expected.size),
        )


def _disagree(result: Dict[str, Any], reason: str) -> Dict[str, Any]:
    result["agrees"] = result["exactly"] = False
    result["reason"] = result["reason"] or reason
    return result
