"""Calls and functions being made, in the forms of every Python, followed over terms."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from capsule.bytecode.code import Code
from capsule.bytecode.equivalence import symbolic_values as making
from capsule.bytecode.equivalence.constants import Step
from capsule.bytecode.equivalence.symbolic_values import Nothing
from capsule.bytecode.equivalence.terms import Unknown, pairs, spread

if TYPE_CHECKING:
    from capsule.bytecode.equivalence.of_code import Frame

_COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")


def _call(frame: Frame, function: Any, given: list[Any], names: tuple[Any, ...]) -> None:
    if isinstance(function, making.Function) and function.code.name in _COMPREHENSIONS:
        if len(given) != 1 or not isinstance(given[0], making.Loop):
            raise Unknown("a comprehension that is called in its own way")
        frame.push(function.comprehended(frame, given[0]))
        return
    values = [frame.term(entry) for entry in given]
    first = len(values) - len(names)
    named = list(zip(names, values[first:]))
    term = frame.term(function)
    frame.push(making.call(frame.world, term, values[:first], named))


def _without_nothing(frame: Frame) -> Any:
    """Take what is called from the stack, and the empty place beside it (3.11 and later)."""
    top = frame.entry()
    if frame.version >= (3, 13):
        return frame.entry() if isinstance(top, Nothing) else top
    if frame.version >= (3, 11) and frame.stack and isinstance(frame.stack[-1], Nothing):
        frame.stack.pop()
    return top


def _call_function(frame: Frame, step: Step) -> None:
    if frame.version < (3, 6):
        _old_call(frame, step)
        return
    given = frame.entries(step.argument)
    _call(frame, frame.entry(), given, ())


def _call_new(frame: Frame, step: Step) -> None:
    """CALL of 3.11 and later: an empty place beside the callable, or its first argument."""
    names, frame.keywords = frame.keywords, ()
    given = frame.entries(step.argument)
    second, first = frame.entry(), frame.entry()
    if frame.version >= (3, 13):
        first, second = second, first  # now: first is the empty place, second is called
    if isinstance(first, Nothing):
        _call(frame, second, given, names)
    else:  # a function and the one argument that stands where the empty place would
        pair = (second, first) if frame.version >= (3, 13) else (first, second)
        _call(frame, pair[0], [pair[1], *given], names)


def _call_keywords(frame: Frame, step: Step) -> None:
    if frame.version < (3, 6):
        _old_call(frame, step)
        return
    names = tuple(spread(frame.terms, frame.pop()))
    if frame.version >= (3, 13):
        frame.keywords = names
        _call_new(frame, step)
        return
    given = frame.entries(step.argument)
    _call(frame, frame.entry(), given, names)


def _keyword_names(frame: Frame, step: Step) -> None:
    if not isinstance(step.value, tuple):
        raise Unknown("keywords that are no names")
    frame.keywords = tuple(frame.terms.constant(name) for name in step.value)


def _old_call(frame: Frame, step: Step) -> None:
    double = frame.pop() if step.word.endswith("_KW") else None
    single = frame.pop() if "_VAR" in step.word else None
    named = [tuple(frame.take(2)) for _ in range(step.argument >> 8)][::-1]
    given = frame.entries(step.argument & 0xFF)
    if not named and single is None and double is None:
        _call(frame, frame.entry(), given, ())
        return
    values = [frame.term(entry) for entry in given]
    if single is not None:
        values += spread(frame.terms, single)
    keywords: list[Any] = list(named)
    if double is not None:
        keywords += pairs(frame.terms, double)
    frame.push(making.call(frame.world, frame.pop(), values, keywords))


def _call_spread(frame: Frame, step: Step) -> None:
    keywords: list[Any] = []
    if step.argument & 1 or frame.version >= (3, 14):
        top = frame.entry()
        if not isinstance(top, Nothing):
            keywords = pairs(frame.terms, frame.term(top))
    values = spread(frame.terms, frame.pop())
    function = frame.term(_without_nothing(frame))
    frame.push(making.call(frame.world, function, values, keywords))


def _make_function(frame: Frame, step: Step) -> None:
    if (3, 4) <= frame.version < (3, 11):
        frame.entry()  # its qualified name
    made = frame.entry()
    if not isinstance(made, making.Function) or not isinstance(made.code, Code):
        raise Unknown("a function is made of what is no code")
    made = making.Function(made.code)
    if frame.version >= (3, 13):
        pass
    elif frame.version >= (3, 6):
        for flag in (8, 4, 2, 1):
            if step.argument & flag:
                _give(frame, made, flag, frame.pop())
    else:
        if step.word == "MAKE_CLOSURE":
            frame.entry()
        if step.argument >> 8:
            raise Unknown("keyword-only defaults of Python 3.5 or before")
        made.defaults = tuple(frame.take(step.argument & 0xFF))
    frame.push(made)


def _set_attribute(frame: Frame, step: Step) -> None:
    made, value = frame.entry(), frame.pop()
    if not isinstance(made, making.Function):
        raise Unknown("an attribute of what is no function")
    _give(frame, made, step.argument, value)
    frame.push(made)


def _give(frame: Frame, made: making.Function, flag: int, value: int) -> None:
    if flag == 1:
        made.defaults = tuple(spread(frame.terms, value))
    elif flag == 2:
        made.keyword_defaults = tuple(sorted(pairs(frame.terms, value)))
    elif flag == 4:
        raise Unknown("annotations of a function")


def _call_method(frame: Frame, step: Step) -> None:
    given = frame.entries(step.argument)
    function = frame.entry()
    frame.entry()  # the empty place that LOAD_METHOD left
    _call(frame, function, given, ())


FOLLOWED: dict[str, Callable[[Any, Step], None]] = {
    "CALL_FUNCTION": _call_function,
    "CALL_FUNCTION_KW": _call_keywords,
    "CALL_FUNCTION_VAR": _old_call,
    "CALL_FUNCTION_VAR_KW": _old_call,
    "CALL_METHOD": _call_method,
    "CALL": _call_new,
    "CALL_KW": _call_keywords,
    "KW_NAMES": _keyword_names,
    "CALL_FUNCTION_EX": _call_spread,
    "MAKE_FUNCTION": _make_function,
    "MAKE_CLOSURE": _make_function,
    "SET_FUNCTION_ATTRIBUTE": _set_attribute,
}
