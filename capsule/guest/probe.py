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

# Relative and absolute, by what the numbers can still tell apart after other kernels computed
# them: of bfloat16, whose neighbours are up to 1/128 apart, the next three.
TOLERANCES = {
    "float64": (1e-7, 1e-9),
    "float32": (1e-4, 1e-5),
    "float16": (1e-2, 1e-3),
    "bfloat16": (3e-2, 4e-3),
}
# A complex number is as exact as its parts are.
TOLERANCES["complex128"] = TOLERANCES["float64"]
TOLERANCES["complex64"] = TOLERANCES["float32"]


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
    ``reason`` is None where they agree. Numbers of a dtype that is not in ``TOLERANCES``
    agree only where they are equal; NaN equals NaN.
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
    for index, (recorded, array) in enumerate(zip(records, arrays)):
        array = numpy.asarray(array, order="C")
        if list(array.shape) != list(recorded["shape"]) or array.dtype.name != recorded["dtype"]:
            shapes = (list(array.shape), recorded["dtype"], recorded["shape"])
            return _disagree(
                result,
                "output %d is %s %s, recorded was %s %s" % ((index, array.dtype.name) + shapes),
            )
        _compare_output(result, index, recorded, array)
    return result


def _compare_output(
    result: Dict[str, Any], index: int, recorded: Dict[str, Any], array: Any
) -> None:
    """Enter into *result* how one output differs from its record, as far as that tells."""
    import numpy

    computed = array.reshape(-1)
    if "base64" not in recorded:
        computed = computed[positions(array.size)]
        if hashlib.sha256(array.tobytes()).hexdigest() != recorded["sha256"]:
            result["exactly"] = False
            if array.dtype.name not in TOLERANCES:
                _disagree(result, "output %d differs" % index)
    raw = base64.b64decode(recorded["base64" if "base64" in recorded else "sample"])
    if len(raw) != computed.nbytes:
        _disagree(result, "the record of output %d is damaged: its length is wrong" % index)
    elif array.dtype.name in TOLERANCES:
        _compare_rounded(result, index, numpy.frombuffer(raw, dtype=array.dtype), computed)
    else:
        _compare_exact(result, index, numpy.frombuffer(raw, dtype=array.dtype), computed)


def _compare_rounded(result: Dict[str, Any], index: int, expected: Any, computed: Any) -> None:
    """Compare numbers that may differ by what their dtype can still tell apart."""
    import numpy

    # Part by part: a complex number of which one part is NaN or infinite has another part.
    expected_parts, computed_parts = _parts(expected), _parts(computed)
    equal = expected_parts == computed_parts
    equal |= numpy.isnan(expected_parts) & numpy.isnan(computed_parts)
    if equal.all():
        return
    rtol, atol = TOLERANCES[expected.dtype.name]
    result["rtol"], result["atol"] = max(result["rtol"], rtol), max(result["atol"], atol)
    with numpy.errstate(all="ignore"):
        gaps = _moduli(numpy.where(equal, 0.0, expected_parts - computed_parts))
        # An infinite number must not make its tolerance infinite: anything would agree with it.
        sizes = _moduli(numpy.where(numpy.isfinite(expected_parts), expected_parts, 0.0))
        agreeing = gaps <= atol + rtol * sizes
    _enter(result, index, ~equal.all(axis=1), agreeing, gaps, sizes)


def _compare_exact(result: Dict[str, Any], index: int, expected: Any, computed: Any) -> None:
    """Compare what no other kernel computes otherwise: whole numbers and truth values."""
    equal = expected == computed
    if equal.all():
        return
    # For people alone: of large whole numbers float64 does not tell one from the next.
    sizes = abs(expected.astype("float64"))
    gaps = abs(expected.astype("float64") - computed.astype("float64"))
    _enter(result, index, ~equal, equal, gaps, sizes)


def _parts(numbers: Any) -> Any:
    """Return a row for each of *numbers* as float64: its value, or its real and imaginary part."""
    if numbers.dtype.kind == "c":
        return numbers.astype("complex128").view("float64").reshape(-1, 2)
    return numbers.astype("float64").reshape(-1, 1)


def _moduli(parts: Any) -> Any:
    """Return the length of each row of *parts*: of a number of one part its absolute value."""
    import numpy

    return numpy.abs(numpy.hypot.reduce(parts, axis=1))


def _enter(
    result: Dict[str, Any], index: int, differing: Any, agreeing: Any, gaps: Any, sizes: Any
) -> None:
    """Enter into *result* the largest differences, and whether all numbers agree."""
    import numpy

    result["exactly"] = False
    with numpy.errstate(all="ignore"):
        ratios = gaps[differing] / sizes[differing]
    for name, values in (("max_abs", gaps[differing]), ("max_rel", ratios)):
        finite = values[numpy.isfinite(values)]
        result[name] = max([result[name]] + finite.tolist())
    count = int((~agreeing).sum())
    if count:
        counts = (index, count, len(agreeing))
        _disagree(result, "output %d differs at %d of %d values compared" % counts)


def _disagree(result: Dict[str, Any], reason: str) -> Dict[str, Any]:
    result["agrees"] = result["exactly"] = False
    result["reason"] = result["reason"] or reason
    return result
