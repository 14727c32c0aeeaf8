"""Instructions that put no value on the stack, or several: what they do."""

from __future__ import annotations

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


def _load_attribute(frame: Frame, step: Step) -> None:
    frame.push_callable(frame.path.attribute(frame.pop(), step.value), step)


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


def _parts(frame: Frame, depth: int, *kinds: str) -> list[Any]:
    """Return the parts of the display that stands that deep on the stack."""
    entry = frame.stack[-depth] if 0 < depth <= len(frame.stack) else None
    if not isinstance(entry, Display) or entry.kind not in kinds:
        raise Unknown("an item goes into what is no display")
    return entry.parts


def _store_map(frame: Frame, step: Step) -> None:
    value, key = frame.pop_terms(2)
    _parts(frame, 1, "dict").append((key, value))


def _add_item(frame: Frame, step: Step) -> None:
    item = frame.pop()
    _parts(frame, step.argument, "list", "set").append(item)


def _add_pair(frame: Frame, step: Step) -> None:
    first, second = frame.pop_terms(2)
    pair = (first, second) if frame.version >= (3, 8) else (second, first)
    _parts(frame, step.argument, "dict").append(pair)


def _extend(frame: Frame, step: Step) -> None:
    items = frame.terms.spread(frame.pop())
    _parts(frame, step.argument, "list", "set").extend(items)


def _update(frame: Frame, step: Step) -> None:
    pairs = frame.terms.pairs(frame.pop())
    _parts(frame, step.argument, "dict").extend(pairs)


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
    "LOAD_ATTR": _load_attribute,
    "STORE_FAST": lambda frame, step: frame.store(step.value, frame.pop_entry()),
    "STORE_DEREF": lambda frame, step: frame.store(step.value, frame.pop_entry()),
    "STORE_GLOBAL": _store_global,
    "DELETE_FAST": _delete_variable,
    "DELETE_DEREF": _delete_variable,
    **{
        f"{verb}_{place}": _store_or_delete
        for verb in ("STORE", "DELETE")
        for place in ("ATTR", "SUBSCR", "SLICE", *(f"SLICE+{bits}" for bits in range(4)))
    },
    "STORE_MAP": _store_map,
    "LIST_APPEND": _add_item,
    "SET_ADD": _add_item,
    "MAP_ADD": _add_pair,
    "LIST_EXTEND": _extend,
    "SET_UPDATE": _extend,
    "DICT_UPDATE": _update,
    "DICT_MERGE": _update,
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
    "POP_TOP": lambda frame, step: frame.pop_entry(),
    "POP_ITER": lambda frame, step: frame.pop_entry(),
    "END_FOR": lambda frame, step: frame.pop_entries(1 if frame.version >= (3, 13) else 2),
}
