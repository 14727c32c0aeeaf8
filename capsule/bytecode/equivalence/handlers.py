"""What each kind of step does to a frame: displays, slices, places, loops, texts, imports."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from capsule.bytecode.equivalence import calling
from capsule.bytecode.equivalence.constants import Step
from capsule.bytecode.equivalence.symbolic_values import (
    NOTHING,
    Display,
    Loop,
    Saved,
    slice_of,
    text_of,
    unary,
    unpacked,
)
from capsule.bytecode.equivalence.terms import Term, Unknown, pairs, spread

if TYPE_CHECKING:
    from capsule.bytecode.equivalence.of_code import Frame

_PLACES = (
    "STORE_ATTR",
    "STORE_SUBSCR",
    "STORE_SLICE",
    "DELETE_ATTR",
    "DELETE_SUBSCR",
    *(f"{word}_SLICE+{kind}" for word in ("STORE", "DELETE") for kind in range(4)),
)
_SHUFFLES = (
    "ROT_TWO",
    "ROT_THREE",
    "ROT_FOUR",
    "ROT_N",
    "DUP_TOP",
    "DUP_TOP_TWO",
    "DUP_TOPX",
    "COPY",
    "SWAP",
    "POP_TOP",
    "POP_ITER",
    "PUSH_NULL",
)


def _display(kind: str) -> Callable[[Frame, Step], None]:
    def build(frame: Frame, step: Step) -> None:
        frame.push(Display(kind, frame.take(step.argument)))

    return build


def _dict(frame: Frame, step: Step) -> None:
    count = step.argument if frame.version >= (3, 5) else 0
    parts = frame.take(2 * count)
    frame.push(Display("dict", list(zip(parts[::2], parts[1::2]))))


def _keyed_dict(frame: Frame, step: Step) -> None:
    keys = spread(frame.terms, frame.pop())
    frame.push(Display("dict", list(zip(keys, frame.take(step.argument)))))


def _store_map(frame: Frame, step: Step) -> None:
    value, key = frame.take(2)
    _top(frame, 1, "dict").parts.append((key, value))


def _top(frame: Frame, depth: int, *kinds: str) -> Display:
    found = frame.stack[-depth] if 0 < depth <= len(frame.stack) else None
    if not isinstance(found, Display) or found.kind not in kinds:
        raise Unknown("an item goes into what is no display")
    return found


def _append(frame: Frame, step: Step) -> None:
    item = frame.pop()
    _top(frame, step.argument, "list", "set").parts.append(item)


def _map_add(frame: Frame, step: Step) -> None:
    first, second = frame.take(2)
    pair = (first, second) if frame.version >= (3, 8) else (second, first)
    _top(frame, step.argument, "dict").parts.append(pair)


def _extend(frame: Frame, step: Step) -> None:
    value = frame.pop()
    _top(frame, step.argument, "list", "set").parts += spread(frame.terms, value)


def _update(frame: Frame, step: Step) -> None:
    value = frame.pop()
    _top(frame, step.argument, "dict").parts += pairs(frame.terms, value)


def _to_tuple(frame: Frame, step: Step) -> None:
    frame.push(frame.terms.of("tuple", *frame.terms.read(frame.pop())[1:]))


def _unpacking(frame: Frame, step: Step) -> None:
    kind = step.word.split("_")[1].lower()
    given = frame.take(step.argument & 0xFF)
    if kind == "map":
        frame.push(Display("dict", [pair for one in given for pair in pairs(frame.terms, one)]))
    else:
        frame.push(Display(kind, [part for one in given for part in spread(frame.terms, one)]))


def _intrinsic(frame: Frame, step: Step) -> None:
    if step.argument == 5:
        frame.push(unary(frame.world, "+", frame.pop()))
    elif step.argument == 6:
        _to_tuple(frame, step)
    else:
        raise Unknown("an instruction that is not followed")


def _build_slice(frame: Frame, step: Step) -> None:
    frame.push(slice_of(frame.terms, *frame.take(step.argument)))


def _between(frame: Frame, step: Step) -> None:
    of, start, stop = frame.take(3)
    frame.push(frame.world.do("item", of, slice_of(frame.terms, start, stop)))


def _bounds(frame: Frame, kind: int) -> Term:
    nothing = frame.terms.constant(None)
    stop = frame.pop() if kind & 2 else nothing
    start = frame.pop() if kind & 1 else nothing
    return slice_of(frame.terms, start, stop)


def _old_slice(frame: Frame, step: Step) -> None:
    bounds = _bounds(frame, int(step.word[-1]))
    frame.push(frame.world.do("item", frame.pop(), bounds))


def _store_place(frame: Frame, step: Step) -> None:
    word, deleted = step.word, step.word.startswith("DELETE")
    if word.endswith("ATTR"):
        place: tuple[Any, ...] = ("attribute", frame.pop(), step.value)
    elif word.endswith("SUBSCR"):
        of, key = frame.take(2)
        place = ("item", of, key)
    elif "+" in word:
        bounds = _bounds(frame, int(word[-1]))
        place = ("item", frame.pop(), bounds)
    else:
        of, start, stop = frame.take(3)
        place = ("item", of, slice_of(frame.terms, start, stop))
    frame.world.do("delete" if deleted else "store", *place, *([] if deleted else [frame.pop()]))


def _delete(frame: Frame, step: Step) -> None:
    frame.load(step.value)
    frame.names.pop(step.value, None)


def _unpack(frame: Frame, step: Step) -> None:
    count, starred, behind = step.argument, None, 0
    if step.word == "UNPACK_EX":
        starred, behind = step.argument & 0xFF, step.argument >> 8
        count = starred + 1 + behind
    frame.stack += unpacked(frame.world, frame.pop(), count, starred, behind)[::-1]


def _next(frame: Frame, step: Step) -> None:
    top = frame.entry()
    if isinstance(top, Loop):
        frame.push(top)
        return
    of = frame.term(top)
    frame.push(Loop(frame.world.do("iterate", of)))


def _yield(frame: Frame, step: Step) -> None:
    frame.yields.append(frame.pop())
    frame.push(frame.terms.of("sent", len(frame.yields)))


def _end_for(frame: Frame, step: Step) -> None:
    frame.entry()
    if frame.version < (3, 13):
        frame.entry()


def _clear(frame: Frame, step: Step) -> None:
    frame.push(Saved(frame.names.pop(step.value, None)))


def _assertion(frame: Frame, step: Step) -> None:
    if step.word == "LOAD_COMMON_CONSTANT" and step.argument:
        raise Unknown("a shortcut for a built-in function")
    frame.push(frame.terms.of("global", "AssertionError"))


def _shuffle(frame: Frame, step: Step) -> None:
    word, argument, stack = step.word, step.argument, frame.stack
    turned = {"ROT_TWO": 2, "ROT_THREE": 3, "ROT_FOUR": 4, "ROT_N": argument}.get(word)
    copied = {"DUP_TOP": 1, "DUP_TOP_TWO": 2, "DUP_TOPX": argument}.get(word)
    need = turned or copied or argument or 1
    if need > len(stack) and word != "PUSH_NULL":
        raise Unknown("the stack is empty")
    if turned is not None:
        stack.insert(len(stack) - turned, stack.pop())
    elif copied is not None:
        stack.extend(stack[-copied:])
    elif word == "COPY":
        stack.append(stack[-argument])
    elif word == "SWAP":
        stack[-argument], stack[-1] = stack[-1], stack[-argument]
    elif word == "PUSH_NULL":
        stack.append(NOTHING)
    else:
        stack.pop()


def _format(frame: Frame, step: Step) -> None:
    argument = step.argument
    nothing = frame.terms.constant(None)
    spec = nothing
    if step.word == "FORMAT_WITH_SPEC" or (step.word == "FORMAT_VALUE" and argument & 4):
        spec = frame.pop()
    value = frame.pop()
    conversion = argument & 3 if step.word == "FORMAT_VALUE" else 0
    kind, *parts = frame.terms.read(value)
    if kind == "converted" and step.word != "FORMAT_VALUE":
        value, conversion = parts
    frame.push(frame.world.do("format", value, conversion, spec))


def _convert(frame: Frame, step: Step) -> None:
    frame.push(frame.terms.of("converted", frame.pop(), step.argument))


def _string(frame: Frame, step: Step) -> None:
    frame.push(text_of(frame.terms, frame.take(step.argument)))


def _import_name(frame: Frame, step: Step) -> None:
    level, names = frame.take(2)
    number = frame.terms.read(level)[-1]
    taken = tuple(
        frame.terms.read(part)[-1]
        for part in spread(frame.terms, names)
        if frame.terms.read(part)[0] == "constant"
    )
    number = "0" if number == "-1" else number
    frame.push(frame.world.do("import", step.value, number, taken))


def _import_from(frame: Frame, step: Step) -> None:
    frame.push(frame.terms.of("from", frame.term(frame.stack[-1]), step.value))


def _generator(frame: Frame, step: Step) -> None:
    frame.push(NOTHING)


FOLLOWED: dict[str, Callable[[Any, Step], None]] = {
    "BUILD_LIST": _display("list"),
    "BUILD_TUPLE": _display("tuple"),
    "BUILD_SET": _display("set"),
    "BUILD_MAP": _dict,
    "BUILD_CONST_KEY_MAP": _keyed_dict,
    "STORE_MAP": _store_map,
    "LIST_APPEND": _append,
    "SET_ADD": _append,
    "MAP_ADD": _map_add,
    "LIST_EXTEND": _extend,
    "SET_UPDATE": _extend,
    "DICT_UPDATE": _update,
    "DICT_MERGE": _update,
    "LIST_TO_TUPLE": _to_tuple,
    "BUILD_LIST_UNPACK": _unpacking,
    "BUILD_TUPLE_UNPACK": _unpacking,
    "BUILD_SET_UNPACK": _unpacking,
    "BUILD_MAP_UNPACK": _unpacking,
    "BUILD_TUPLE_UNPACK_WITH_CALL": _unpacking,
    "BUILD_MAP_UNPACK_WITH_CALL": _unpacking,
    "CALL_INTRINSIC_1": _intrinsic,
    "BUILD_SLICE": _build_slice,
    "BINARY_SLICE": _between,
    "SLICE+0": _old_slice,
    "SLICE+1": _old_slice,
    "SLICE+2": _old_slice,
    "SLICE+3": _old_slice,
    **dict.fromkeys(_PLACES, _store_place),
    "DELETE_FAST": _delete,
    "DELETE_DEREF": _delete,
    "UNPACK_SEQUENCE": _unpack,
    "UNPACK_EX": _unpack,
    "GET_ITER": _next,
    "YIELD_VALUE": _yield,
    "END_FOR": _end_for,
    "LOAD_FAST_AND_CLEAR": _clear,
    "LOAD_ASSERTION_ERROR": _assertion,
    "LOAD_COMMON_CONSTANT": _assertion,
    "FORMAT_VALUE": _format,
    "FORMAT_SIMPLE": _format,
    "FORMAT_WITH_SPEC": _format,
    "CONVERT_VALUE": _convert,
    "BUILD_STRING": _string,
    "IMPORT_NAME": _import_name,
    "IMPORT_FROM": _import_from,
    "RETURN_GENERATOR": _generator,
    **dict.fromkeys(_SHUFFLES, _shuffle),
    **calling.FOLLOWED,
}
