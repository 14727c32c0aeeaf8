"""Both forms of a function side by side, over as many chances as it takes to trust them."""

from __future__ import annotations

from collections.abc import Iterable

from capsule.bytecode.code import Code
from capsule.bytecode.decompile import parse_function
from capsule.bytecode.equivalence.of_code import outcome_of_code
from capsule.bytecode.equivalence.of_source import outcome_of_source
from capsule.bytecode.equivalence.terms import Terms, Unknown

CHANCES = 12
STEPS = 10_000  # over all chances: loops within loops would take seconds


def difference(code: Code, text: str, *, chances: Iterable[int] = range(CHANCES)) -> str | None:
    """Return how *code* and the source *text* differ in what they compute, None if in nothing.

    Raises Unknown where one of them does what is not followed.
    """
    function = parse_function(text)
    if function is None:
        return "one of them is no function"
    terms = Terms()
    for seed in chances:
        if terms.steps > STEPS:
            break
        try:
            one = outcome_of_code(code, terms, seed)
            other = outcome_of_source(function, code.free, terms, seed)
        except RecursionError:
            raise Unknown("nested deeper than can be followed") from None
        # A loop that chance keeps going: as far as both were followed, they must agree.
        endless = ("limit",) in (one[:1], other[:1])
        if endless and all(a == b for a, b in zip(one[-1], other[-1])):
            continue
        if one != other:
            return f"they part under chance {seed}: {_parted(terms, one, other)}"
    return None


def _parted(terms: Terms, one: tuple[object, ...], other: tuple[object, ...]) -> str:
    """Say the first thing in which two outcomes differ."""
    left, right = one[-1], other[-1]
    if isinstance(left, tuple) and isinstance(right, tuple):
        for a, b in zip(left, right):
            if a != b:
                return f"{terms.read(a)} and {terms.read(b)}"
        if len(left) != len(right):
            return f"{len(left)} and {len(right)} steps"
    return f"{one[:-1]} and {other[:-1]}"


def makes_sense(code: Code) -> bool:
    """Tell whether *code*, whichever way chance takes, finds on the stack what it takes."""
    terms = Terms()
    for seed in range(4):
        try:
            outcome_of_code(code, terms, seed)
        except Unknown as error:
            if "the stack is empty" in str(error):
                return False
        except RecursionError:
            break
    return True
