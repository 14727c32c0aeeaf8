"""The symbolic execution of bytecode, step by step: the first of the two forms."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from capsule.bytecode.code import Code
from capsule.bytecode.equivalence import call_handlers, effect_handlers, value_handlers
from capsule.bytecode.equivalence.frames import EMPTY, Frame, signature_of
from capsule.bytecode.equivalence.paths import Ended, Execution, Outcome, Path
from capsule.bytecode.equivalence.steps import Step, normalize
from capsule.bytecode.equivalence.terms import Terms, Unknown

_STACK_LIMIT = 200
_VALUES = {**value_handlers.HANDLERS, **call_handlers.HANDLERS}
_EFFECTS = effect_handlers.HANDLERS


def execute_code(code: Code, terms: Terms, seed: int) -> Execution:
    """Execute *code* on the path of *seed*. Raises Unknown for what is not modelled."""
    path = Path(terms, seed)
    arguments = signature_of(code).arguments(terms)
    outcome = _execute_frame(Frame(code, path, {**arguments}, _execute_frame))
    return Execution(outcome, tuple(path.trace))


def _execute_frame(frame: Frame) -> Outcome:
    steps = frame.terms.compute_once(frame.code, lambda: normalize(frame.code))
    index = 0
    try:
        while True:
            if index >= len(steps):
                raise Unknown("instructions that end nowhere")
            frame.path.count_step()
            index = _execute_step(frame, steps[index])
    except Ended as end:
        if frame.yields:
            return Outcome("generator", (tuple(frame.yields), end.outcome))
        return end.outcome


def _execute_step(frame: Frame, step: Step) -> int:
    """Execute one step; return the index of the next."""
    if len(frame.stack) > _STACK_LIMIT:
        raise Unknown("a stack beyond every limit")
    if step.name in _JUMPS:
        return _JUMPS[step.name](frame, step)
    if step.name in _VALUES:
        frame.push(_VALUES[step.name](frame, step))
    elif step.name in _EFFECTS:
        _EFFECTS[step.name](frame, step)
    else:
        raise Unknown(f"{step.name} is not modelled")
    return step.next


def _branch(frame: Frame, step: Step) -> int:
    value = frame.pop()
    test = value
    if step.name == "BRANCH_NONE":
        test = frame.path.compare("is", value, frame.terms.constant(None))
    if frame.path.holds(test) != bool(step.argument):
        return step.next
    if step.keeps:
        frame.push(value)
    return step.target


def _next_item(frame: Frame, step: Step) -> int:
    items = frame.stack[-1] if frame.stack else None
    if not isinstance(items, Iterator):
        raise Unknown("a loop over what is no iterator")
    item = next(items, None)
    if item is not None:
        frame.push(item)
        return step.next
    if frame.version >= (3, 12):  # END_FOR takes the iterator away
        frame.push(EMPTY)
    else:
        frame.stack.pop()
    return step.target


def _set_up_loop(frame: Frame, step: Step) -> int:
    frame.loops.append((step.target, len(frame.stack)))
    return step.next


def _leave_loop(frame: Frame, step: Step) -> int:
    if not frame.loops:
        return step.next  # of 3.8 and later, where no loop is set up
    end, depth = frame.loops.pop()
    if step.name == "POP_BLOCK":
        return step.next
    del frame.stack[depth:]
    return end


def _return(frame: Frame, step: Step) -> int:
    raise Ended(Outcome("return", (frame.pop(),)))


def _raise(frame: Frame, step: Step) -> int:
    raise Ended(Outcome("raise", tuple(frame.pop_terms(step.argument))))


_JUMPS: dict[str, Callable[[Frame, Step], int]] = {
    "JUMP": lambda frame, step: step.next,
    "BRANCH": _branch,
    "BRANCH_NONE": _branch,
    "FOR_ITER": _next_item,
    "SETUP_LOOP": _set_up_loop,
    "POP_BLOCK": _leave_loop,
    "BREAK_LOOP": _leave_loop,
    "RETURN_VALUE": _return,
    "RAISE_VARARGS": _raise,
}
