"""Instructions that put no value on the stack, or several: what they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from capsule.bytecode.equivalence.frames import Display, EffectHandler, Frame
from capsule.bytecode.equivalence.steps import Step
from capsule.bytecode.equivalence.terms import Unknown

_CONSTANTS_BY_NAME = {"True": True, "False": False, "None": None}


def _load_global(frame: Frame, step: Step) -> None:
    name = step.value
    if name in _CONSTANTS_BY_NAME:  # names like others in Python 2
        frame.push(frame.terms.constant(_CONSTANTS_BY_NAME[name]))
    else:
        value = frame.terms.intern("global", name)
        frame.push_callable(frame.declared.get(name, value), step)


def _store_global(frame: Frame, step: Step) -> None:
    frame.declared[step.value] = frame.path.perform("declared", step.value, frame.pop())


def _delete_variable(frame: Frame, step: Step) -> None:
    frame.load(step.value)
    frame.names.pop(step.value, None)


def _store_or_delete(frame: Frame, step: Step) -> None:
    place: tuple[Any, ...]
    if step.name.endswith("ATTR"):
        place = ("attribute", frame.pop(), step.value)
    elif step.name.endswith("SUBSCR"):
        place = ("item", *frame.pop_terms(2))
    else:
        place = frame.pop_slice(step)
    if step.name.startswith("DELETE"):
        frame.path.perform("delete", *place)
    else:
        frame.path.perform("store", *place, frame.pop())


def _fill(kinds: tuple[str, ...], pop_parts: Callable[[Frame, Step], list[Any]]) -> EffectHandler:
    """Return what puts parts into a display, of one of *kinds*, deeper on the stack."""

    def fill(frame: Frame, step: Step) -> None:
        parts = pop_parts(frame, step)
        depth = 1 if step.name == "STORE_MAP" else step.argument
        display = frame.stack[-depth] if 0 < depth <= len(frame.stack) else None
        if not isinstance(display, Display) or display.kind not in kinds:
            raise Unknown("an item goes into what is no display")
        display.parts += parts

    return fill


def _pop_pair(frame: Frame, step: Step) -> list[Any]:
    first, second = frame.pop_terms(2)
    key_first = step.name == "MAP_ADD" and frame.version >= (3, 8)
    return [(first, second) if key_first else (second, first)]


_add_item = _fill(("list", "set"), lambda frame, step: [frame.pop()])
_add_items = _fill(("list", "set"), lambda frame, step: frame.terms.spread(frame.pop()))
_add_pair = _fill(("dict",), _pop_pair)
_add_pairs = _fill(("dict",), lambda frame, step: frame.terms.pairs(frame.pop()))


def _unpack(frame: Frame, step: Step) -> None:
    if step.name == "UNPACK_EX":
        starred, after = step.argument & 0xFF, step.argument >> 8
        items = frame.path.unpack(frame.pop(), starred + 1 + after, starred, after)
    else:
        items = frame.path.unpack(frame.pop(), step.argument)
    frame.stack += reversed(items)


def _set_keyword_names(frame: Frame, step: Step) -> None:
    if not isinstance(step.value, tuple):
        raise Unknown("keywords that are no names")
    frame.keyword_names = tuple(frame.terms.constant(name) for name in step.value)


def _swap(frame: Frame, step: Step) -> None:
    frame.require(step.argument or 1)
    stack, depth = frame.stack, step.argument
    stack[-depth], stack[-1] = stack[-1], stack[-depth]


HANDLERS: dict[str, EffectHandler] = {
    "LOAD_GLOBAL": _load_global,
    "LOAD_ATTR": lambda frame, step: frame.push_callable(
        frame.path.attribute(frame.pop(), step.value), step
    ),
    "STORE_FAST": lambda frame, step: frame.store(step.value, frame.pop_entry()),
    "STORE_DEREF": lambda frame, step: frame.store(step.value, frame.pop_entry()),
    "STORE_GLOBAL": _store_global,
    **dict.fromkeys(("DELETE_FAST", "DELETE_DEREF"), _delete_variable),
    **{
        f"{verb}_{place}": _store_or_delete
        for verb in ("STORE", "DELETE")
        for place in ("ATTR", "SUBSCR", "SLICE", *(f"SLICE+{bits}" for bits in range(4)))
    },
    "STORE_MAP": _add_pair,
    "LIST_APPEND": _add_item,
    "SET_ADD": _add_item,
    "MAP_ADD": _add_pair,
    "LIST_EXTEND": _add_items,
    "SET_UPDATE": _add_items,
    "DICT_UPDATE": _add_pairs,
    "DICT_MERGE": _add_pairs,
    "UNPACK_SEQUENCE": _unpack,
    "UNPACK_EX": _unpack,
    "ROT_TWO": lambda frame, step: frame.rotate(2),
    "ROT_THREE": lambda frame, step: frame.rotate(3),
    "ROT_FOUR": lambda frame, step: frame.rotate(4),
    "ROT_N": lambda frame, step: frame.rotate(step.argument),
    "DUP_TOP": lambda frame, step: frame.duplicate(1),
    "DUP_TOP_TWO": lambda frame, step: frame.duplicate(2),
    "DUP_TOPX": lambda frame, step: frame.duplicate(step.argument),
    "KW_NAMES": _set_keyword_names,
    "SWAP": _swap,
    **dict.fromkeys(("POP_TOP", "POP_ITER"), lambda frame, step: frame.pop_entry()),
    "END_FOR": lambda frame, step: frame.pop_entries(1 if frame.version >= (3, 13) else 2),
}
