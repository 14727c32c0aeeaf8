"""Recorded outputs, and inputs that can be made again: the check of "computes the same".

Inputs are not stored: a seed, a shape and a range give the same numbers under every Python
and numpy, since the generator is written out here.
"""

import base64
import hashlib
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

SEED = 20
BATCH = 2
FREE_LENGTH = 8  # stands for every other dimension that the model leaves open
WHOLE_LIMIT = 16 * 1024
POSITIONS = 1000

# Relative and absolute: how far other kernels may be off. bfloat16, whose neighbours are up to
# 1/128 apart, may be off by three of them.
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
    """Return random numbers that every numpy makes alike: SplitMix64, by numpy's uint64.

    Parameters
    ----------
    seed
        Any whole number.
    count
        How many numbers.

    Returns
    -------
    numpy.ndarray
        float64 in [0, 1).
    """
    import numpy

    u64 = numpy.uint64
    start = u64((seed * 0x9E3779B97F4A7C15) % 2**64)
    state = start + numpy.arange(1, count + 1, dtype=u64) * u64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> u64(30))) * u64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> u64(27))) * u64(0x94D049BB133111EB)
    state = state ^ (state >> u64(31))
    return (state >> u64(11)).astype("float64") * 2.0**-53


def make_inputs(specs: Sequence[Dict[str, Any]]) -> List[Any]:
    """Make the inputs of a probe.

    Parameters
    ----------
    specs
        ``{"shape", "dtype", "seed", "low", "high"}`` for each input in the model's order;
        *high* is excluded.

    Returns
    -------
    list
        One array for each.

    Raises
    ------
    ValueError
        There are no such numbers of a dtype.
    """
    import numpy

    arrays = []
    for spec in specs:
        dtype = numpy.dtype(spec["dtype"])
        if dtype.kind not in "biuf":
            raise ValueError("no input of dtype %s can be made" % spec["dtype"])
        count = 1
        for size in spec["shape"]:
            count *= size
        fractions = uniform(spec["seed"], count)
        if dtype.kind == "b":
            numbers = fractions < 0.5
        else:
            numbers = spec["low"] + fractions * (spec["high"] - spec["low"])
            if dtype.kind in "iu":
                numbers = numpy.floor(numbers)
        arrays.append(numbers.astype(dtype).reshape(spec["shape"]))
    return arrays


def positions(size: int) -> Any:
    """Return the flat indices at which a large output is compared.

    Parameters
    ----------
    size
        The number of values in the output.

    Returns
    -------
    numpy.ndarray
        All indices up to ``POSITIONS``, else about so many, always the same, in their order.
    """
    import numpy

    if size <= POSITIONS:
        return numpy.arange(size)
    spread = (uniform(SEED, POSITIONS) * size).astype("int64")
    return numpy.unique(spread)


def record(array: Any) -> Dict[str, Any]:
    """Return the JSON record of one output.

    Parameters
    ----------
    array
        The output.

    Returns
    -------
    dict
        Shape and dtype, with all numbers of a small output, else the SHA-256 of all and the
        numbers at ``positions``.
    """
    import numpy

    array = numpy.asarray(array, order="C")
    facts: Dict[str, Any] = {"shape": list(array.shape), "dtype": array.dtype.name}
    raw = array.tobytes()
    if len(raw) <= WHOLE_LIMIT:
        facts["base64"] = base64.b64encode(raw).decode("ascii")
    else:
        facts["sha256"] = hashlib.sha256(raw).hexdigest()
        sample = array.reshape(-1)[positions(array.size)]
        facts["sample"] = base64.b64encode(sample.tobytes()).decode("ascii")
    return facts


def compare(records: Sequence[Dict[str, Any]], arrays: Sequence[Any]) -> Dict[str, Any]:
    """Compare a model's outputs with those recorded at save.

    Parameters
    ----------
    records
        What ``record`` returned at save, one for each output in the model's order.
    arrays
        The same outputs as computed now.

    Returns
    -------
    dict
        ``agrees``: within ``rtol`` and ``atol``, the tolerances of the dtype where they were
        needed (a dtype without any must be equal; NaN equals NaN). ``exactly``: to the last
        bit. ``max_abs``, ``max_rel``: the largest differences. ``reason``: what does not
        agree, else None.
    """
    import numpy

    comparison = _Comparison()
    if len(records) != len(arrays):
        comparison.disagree("%d outputs, %d were recorded" % (len(arrays), len(records)))
        return comparison.to_json()
    for index, (facts, array) in enumerate(zip(records, arrays)):
        array = numpy.asarray(array, order="C")
        if list(array.shape) != list(facts["shape"]) or array.dtype.name != facts["dtype"]:
            shapes = (list(array.shape), facts["dtype"], facts["shape"])
            comparison.disagree(
                "output %d is %s %s, recorded was %s %s" % ((index, array.dtype.name) + shapes)
            )
            break
        comparison.add(index, facts, array)
    return comparison.to_json()


class Differences(NamedTuple):
    """How the numbers of one output differ from those recorded, an item for each number."""

    differ: Any
    agree: Any
    gaps: Any
    sizes: Any


class _Comparison(object):
    """How the outputs compared so far differ from those recorded."""

    def __init__(self) -> None:
        self.agrees = True
        self.exactly = True
        self.max_abs = 0.0
        self.max_rel = 0.0
        self.rtol = 0.0
        self.atol = 0.0
        self.reason: Optional[str] = None

    def to_json(self) -> Dict[str, Any]:
        return dict(vars(self))

    def disagree(self, reason: str) -> None:
        self.agrees = self.exactly = False
        self.reason = self.reason or reason

    def add(self, index: int, facts: Dict[str, Any], array: Any) -> None:
        """Compare one output with its record, as far as that has its numbers."""
        import numpy

        numbers = array.reshape(-1)
        if "base64" not in facts:
            numbers = numbers[positions(array.size)]
            if hashlib.sha256(array.tobytes()).hexdigest() != facts["sha256"]:
                self.exactly = False
                if array.dtype.name not in TOLERANCES:
                    self.disagree("output %d differs" % index)
        raw = base64.b64decode(facts["base64" if "base64" in facts else "sample"])
        if len(raw) != numbers.nbytes:
            self.disagree("the record of output %d is damaged: its length is wrong" % index)
            return
        expected = numpy.frombuffer(raw, dtype=array.dtype)
        if array.dtype.name in TOLERANCES:
            self._add_rounded(index, expected, numbers)
        else:
            self._add_exact(index, expected, numbers)

    def _add_rounded(self, index: int, expected: Any, numbers: Any) -> None:
        """Compare numbers that may differ by what their dtype can still tell apart."""
        import numpy

        # Part by part: a complex number of which one part is NaN or infinite has another part.
        expected_parts, parts = _parts(expected), _parts(numbers)
        equal = expected_parts == parts
        equal |= numpy.isnan(expected_parts) & numpy.isnan(parts)
        if equal.all():
            return
        rtol, atol = TOLERANCES[expected.dtype.name]
        self.rtol, self.atol = max(self.rtol, rtol), max(self.atol, atol)
        with numpy.errstate(all="ignore"):
            gaps = _moduli(numpy.where(equal, 0.0, expected_parts - parts))
            # An infinite number must not make its tolerance infinite: all would agree with it.
            sizes = _moduli(numpy.where(numpy.isfinite(expected_parts), expected_parts, 0.0))
            agree = gaps <= atol + rtol * sizes
        self._enter(index, Differences(~equal.all(axis=1), agree, gaps, sizes))

    def _add_exact(self, index: int, expected: Any, numbers: Any) -> None:
        """Compare what every kernel computes alike: whole numbers and truth values."""
        equal = expected == numbers
        if equal.all():
            return
        # For people alone: float64 can't tell large whole numbers from their neighbours.
        sizes = abs(expected.astype("float64"))
        gaps = abs(expected.astype("float64") - numbers.astype("float64"))
        self._enter(index, Differences(~equal, equal, gaps, sizes))

    def _enter(self, index: int, differences: Differences) -> None:
        """Enter the largest differences, and whether all numbers agree."""
        import numpy

        self.exactly = False
        gaps = differences.gaps[differences.differ]
        with numpy.errstate(all="ignore"):
            ratios = gaps / differences.sizes[differences.differ]
        self.max_abs = _maximum(self.max_abs, gaps)
        self.max_rel = _maximum(self.max_rel, ratios)
        count = int((~differences.agree).sum())
        if count:
            counts = (index, count, len(differences.agree))
            self.disagree("output %d differs at %d of %d values compared" % counts)


def _maximum(start: float, values: Any) -> float:
    """Return the largest of *start* and the finite *values*."""
    import numpy

    return float(max([start] + values[numpy.isfinite(values)].tolist()))


def _parts(numbers: Any) -> Any:
    """Return a row for each of *numbers* as float64: its value, or its real and imaginary part."""
    if numbers.dtype.kind == "c":
        return numbers.astype("complex128").view("float64").reshape(-1, 2)
    return numbers.astype("float64").reshape(-1, 1)


def _moduli(parts: Any) -> Any:
    """Return the length of each row of *parts*: of a row of one number its absolute value."""
    import numpy

    return numpy.abs(numpy.hypot.reduce(parts, axis=1))
