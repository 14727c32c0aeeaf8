"""Calls and the making of functions, in the forms of every Python: what they give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from capsule.bytecode.equivalence.frames import (
    EmptySlot,
    Entry,
    Frame,
    Function,
    ValueHandler,
)
from capsule.bytecode.equivalence.paths import Ended
from capsule.bytecode.equivalence.steps import Step
from capsule.bytecode.equivalence.terms import Keyword, Term, Unknown

_COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
_DEFAULTS, _KEYWORD_DEFAULTS, _ANNOTATIONS, _CLOSURE = 1, 2, 4, 8


def _call(
    frame: Frame, function: Entry, arguments: list[Entry], names: tuple[Term, ...] = ()
) -> Term:
    """Call *function*; the last arguments are those with *names*."""
    if isinstance(function, Function) and function.code.name in _COMPREHENSIONS:
        if len(arguments) != 1 or not isinstance(arguments[0], Iterator):
            raise Unknown("a comprehension that is called in its own way")
        return _comprehension(frame, function, arguments[0])
    values = [frame.term(argument) for argument in arguments]
    positional = len(values) - len(names)
    keywords = list(zip(names, values[positional:]))
    return frame.path.call(frame.term(function), values[:positional], keywords)


def _comprehension(frame: Frame, function: Function, items: Iterator[Term]) -> Term:
    inner = Frame(function.code, frame.path, {".0": items}, frame.execute, frame, frame.declared)
    outcome = frame.execute(inner)
    if function.code.name == "<genexpr>":
        # What it yields is computed when somebody asks: the order is the items' own.
        return frame.terms.intern("generator", tuple(inner.yields))
    if outcome.kind != "return":
        raise Ended(outcome)
    return int(*outcome.values)


def _call_function(frame: Frame, step: Step) -> Term:
    if frame.version < (3, 6):
        return _call_before_3_6(frame, step)
    arguments = frame.pop_entries(step.argument)
    function = frame.pop_entry()
    if step.name == "CALL_METHOD":
        frame.pop_entry()  # the empty slot that LOAD_METHOD left
    return _call(frame, function, arguments)


def _call_before_3_6(frame: Frame, step: Step) -> Term:
    mapping = frame.pop() if step.name.endswith("_KW") else None
    iterable = frame.pop() if "_VAR" in step.name else None
    pairs = [frame.pop_terms(2) for _ in range(step.argument >> 8)][::-1]
    arguments = frame.pop_entries(step.argument & 0xFF)
    if not pairs and iterable is None and mapping is None:
        return _call(frame, frame.pop_entry(), arguments)
    values = [frame.term(argument) for argument in arguments]
    values += [] if iterable is None else frame.terms.spread(iterable)
    keywords: list[Keyword] = [(name, value) for name, value in pairs]
    keywords += [] if mapping is None else frame.terms.pairs(mapping)
    return frame.path.call(frame.pop(), values, keywords)


def _call_keywords(frame: Frame, step: Step) -> Term:
    if frame.version < (3, 6):
        return _call_before_3_6(frame, step)
    names = tuple(frame.terms.spread(frame.pop()))
    if frame.version >= (3, 13):
        frame.keyword_names = names
        return _call_from_3_11(frame, step)
    arguments = frame.pop_entries(step.argument)
    return _call(frame, frame.pop_entry(), arguments, names)


def _call_from_3_11(frame: Frame, step: Step) -> Term:
    """Call a function with an empty slot beside it, or a method with its object there."""
    names, frame.keyword_names = frame.keyword_names, ()
    arguments = frame.pop_entries(step.argument)
    top, below = frame.pop_entry(), frame.pop_entry()
    if frame.version >= (3, 13):
        function, slot = below, top
    else:
        function, slot = (top, below) if isinstance(below, EmptySlot) else (below, top)
    if not isinstance(slot, EmptySlot):
        arguments.insert(0, slot)
    return _call(frame, function, arguments, names)


def _call_spread(frame: Frame, step: Step) -> Term:
    keywords: list[Keyword] = []
    if step.argument & 1 or frame.version >= (3, 14):
        mapping = frame.pop_entry()
        if not isinstance(mapping, EmptySlot):
            keywords = frame.terms.pairs(frame.term(mapping))
    values = frame.terms.spread(frame.pop())
    function = frame.pop_entry()
    # From 3.11 on an empty slot stands beside the function, from 3.13 on above it.
    if frame.version >= (3, 13):
        function = frame.pop_entry() if isinstance(function, EmptySlot) else function
    elif frame.version >= (3, 11) and frame.stack and isinstance(frame.stack[-1], EmptySlot):
        frame.stack.pop()
    return frame.path.call(frame.term(function), values, keywords)


def _make_function(frame: Frame, step: Step) -> Function:
    if (3, 4) <= frame.version < (3, 11):
        frame.pop_entry()  # its qualified name
    function = frame.pop_entry()
    if not isinstance(function, Function):
        raise Unknown("a function is made of what is no code")
    function = Function(function.code)
    if (3, 6) <= frame.version < (3, 13):
        for flag in (_CLOSURE, _ANNOTATIONS, _KEYWORD_DEFAULTS, _DEFAULTS):
            if step.argument & flag:
                function = _with_attribute(frame, function, flag, frame.pop())
    elif frame.version < (3, 6):
        if step.name == "MAKE_CLOSURE":
            frame.pop_entry()
        if step.argument >> 8:
            raise Unknown("keyword-only defaults of Python 3.5 or before")
        function = Function(function.code, tuple(frame.pop_terms(step.argument & 0xFF)))
    return function


def _set_function_attribute(frame: Frame, step: Step) -> Function:
    function, value = frame.pop_entry(), frame.pop()
    if not isinstance(function, Function):
        raise Unknown("an attribute of what is no function")
    return _with_attribute(frame, function, step.argument, value)


def _with_attribute(frame: Frame, function: Function, flag: int, value: Term) -> Function:
    if flag == _DEFAULTS:
        return replace(function, defaults=tuple(frame.terms.spread(value)))
    if flag == _KEYWORD_DEFAULTS:
        return replace(function, keyword_defaults=tuple(sorted(frame.terms.pairs(value))))
    if flag == _ANNOTATIONS:
        raise Unknown("annotations of a function")
    return function


HANDLERS: dict[str, ValueHandler] = {
    "CALL_FUNCTION": _call_function,
    "CALL_FUNCTION_KW": _call_keywords,
    "CALL_FUNCTION_VAR": _call_before_3_6,
    "CALL_FUNCTION_VAR_KW": _call_before_3_6,
    "CALL_METHOD": _call_function,
    "CALL": _call_from_3_11,
    "CALL_KW": _call_keywords,
    "CALL_FUNCTION_EX": _call_spread,
    "MAKE_FUNCTION": _make_function,
    "MAKE_CLOSURE": _make_function,
    "SET_FUNCTION_ATTRIBUTE": _set_function_attribute,
}
