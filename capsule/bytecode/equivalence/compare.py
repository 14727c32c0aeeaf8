"""The comparison of code with source over as many paths as it takes to trust them."""

from __future__ import annotations

from collections.abc import Iterable

from capsule.bytecode.code import Code
from capsule.bytecode.decompile import parse_function
from capsule.bytecode.equivalence.execute_code import execute_code
from capsule.bytecode.equivalence.execute_source import execute_source
from capsule.bytecode.equivalence.frames import StackUnderflow, signature_of
from capsule.bytecode.equivalence.paths import Execution
from capsule.bytecode.equivalence.scopes import read_signature
from capsule.bytecode.equivalence.terms import Terms, Unknown

PATHS = 12
PATHS_TO_READ = 4
STEP_BUDGET = 10_000  # over all paths: loops within loops would take seconds


def difference(code: Code, text: str, *, seeds: Iterable[int] = range(PATHS)) -> str | None:
    """Compare what *code* computes with what the source *text* computes.

    Parameters
    ----------
    code
        The code of a function, of any Python.
    text
        A lambda or a ``def`` as today's Python writes it. Names that are free in *code* are
        free in it.
    seeds
        Each decides one path. Once all paths together took ``STEP_BUDGET`` steps, no further
        path is tried.

    Returns
    -------
    str or None
        The first operation or result in which a path of the two differs; None if none does.

    Raises
    ------
    Unknown
        One of them does what is not modelled.
    SyntaxError
        *text* is no Python.
    """
    function = parse_function(text)
    if function is None:
        return "the source is no function"
    if signature_of(code) != read_signature(function.args):
        return "they take other arguments"
    terms = Terms()
    for seed in seeds:
        if terms.steps > STEP_BUDGET:
            break
        try:
            left = execute_code(code, terms, seed)
            right = execute_source(function, code.free, terms, seed)
        except RecursionError:
            raise Unknown("nested deeper than can be followed") from None
        if left != right and not _agree_so_far(left, right):
            return f"they differ on path {seed}: {_describe(terms, left, right)}"
    return None


def _agree_so_far(left: Execution, right: Execution) -> bool:
    """Tell whether two executions in loops without end agree as far as both go.

    Raises Unknown where one of them ends, having performed all that the other was seen to.
    """
    less, more = sorted((left, right), key=lambda execution: len(execution.trace))
    kinds = (less.outcome.kind, more.outcome.kind)
    if "limit" not in kinds or less.trace != more.trace[: len(less.trace)]:
        return False
    if kinds[0] != kinds[1] and (kinds[0] == "limit" or len(less.trace) == len(more.trace)):
        raise Unknown("a path that is too long in one of them")
    return kinds[0] == kinds[1]


def _describe(terms: Terms, left: Execution, right: Execution) -> str:
    """Say the first thing in which two executions differ."""
    for a, b in zip(left.trace, right.trace):
        if a != b:
            return f"{terms.read(a)} and {terms.read(b)}"
    if len(left.trace) != len(right.trace):
        return f"{len(left.trace)} and {len(right.trace)} steps"
    (kind, values), (other_kind, other_values) = left.outcome, right.outcome
    return f"{kind} {values} and {other_kind} {other_values}"


def makes_sense(code: Code) -> bool:
    """Tell whether *code*, on whichever path, finds on the stack what it takes."""
    terms = Terms()
    for seed in range(PATHS_TO_READ):
        try:
            execute_code(code, terms, seed)
        except StackUnderflow:
            return False
        except Unknown:
            continue
        except RecursionError:
            break
    return True
