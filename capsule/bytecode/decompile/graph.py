"""Code as blocks: which instructions run in a row, where they lead, what is a loop."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from capsule.bytecode.code import Code, Instruction
from capsule.bytecode.decompile.values import Stopped
from capsule.bytecode.instructions import jumps

BLOCK_LIMIT = 500

_CONDITIONAL = ("POP_JUMP", "JUMP_IF")
_ENDS = {
    "RETURN_VALUE",
    "RETURN_CONST",
    "RAISE_VARARGS",
    "RERAISE",
    "JUMP_ABSOLUTE",
    "JUMP_FORWARD",
    "JUMP_BACKWARD",
    "JUMP_BACKWARD_NO_INTERRUPT",
    "CONTINUE_LOOP",
    "BREAK_LOOP",
    "FOR_ITER",
}

_NO_JUMPS = {"SETUP_LOOP", "SETUP_EXCEPT", "SETUP_FINALLY", "SETUP_WITH", "SETUP_ASYNC_WITH"}


@dataclass
class Block:
    """Instructions in a row; ``end`` is the one that decides what comes next, if any does.

    ``fall`` is the offset of what follows, None where nothing does; ``target`` where it
    jumps.
    """

    at: int
    body: list[Instruction] = field(default_factory=list)
    end: Instruction | None = None
    fall: int | None = None
    target: int | None = None

    @property
    def conditional(self) -> bool:
        """Whether a test decides where to go on."""
        return self.end is not None and self.end.name.startswith(_CONDITIONAL)

    @property
    def successors(self) -> list[int]:
        """The offsets of the blocks that may follow."""
        return [at for at in (self.fall, self.target) if at is not None]


class Graph:
    """The blocks of one code object that can be reached, in an order of no way back."""

    def __init__(self, code: Code) -> None:
        self.blocks = _blocks(code)
        self.entry = min(self.blocks)
        self.heads: dict[int, set[int]] = {}  # of each loop: the blocks that lead back to it
        self.order: dict[int, int] = {}
        self.before: dict[int, set[int]] = {at: set() for at in self.blocks}
        self._search()
        self._reach: dict[int, frozenset[int]] = {}

    def _search(self) -> None:
        finished: list[int] = []
        on_path: set[int] = set()
        seen: set[int] = {self.entry}
        backward: list[tuple[int, int]] = []
        path = [(self.entry, iter(self.blocks[self.entry].successors))]
        on_path.add(self.entry)
        while path:
            at, rest = path[-1]
            following = next(rest, None)
            if following is None:
                path.pop()
                on_path.discard(at)
                finished.append(at)
                continue
            if following not in self.blocks:
                raise Stopped("instructions that end nowhere")
            self.before[following].add(at)
            if following in on_path:
                backward.append((at, following))
            elif following not in seen:
                seen.add(following)
                on_path.add(following)
                path.append((following, iter(self.blocks[following].successors)))
        self.order = {at: place for place, at in enumerate(reversed(finished))}
        for tail, head in backward:
            self.heads.setdefault(head, {head}).update(self._leading(tail, head))

    def _leading(self, tail: int, head: int) -> set[int]:
        found, waiting = {head}, [tail]
        while waiting:
            at = waiting.pop()
            if at not in found:
                found.add(at)
                waiting += self.before[at]
        return found

    def reach(self, at: int) -> frozenset[int]:
        """Return the blocks that can come after *at*, itself too, never going back."""
        known = self._reach.get(at)
        if known is not None:
            return known
        found: set[int] = set()
        waiting = [at]
        while waiting:
            one = waiting.pop()
            if one in found:
                continue
            found.add(one)
            place = self.order[one]
            waiting += [s for s in self.blocks[one].successors if self.order[s] > place]
        self._reach[at] = frozenset(found)
        return self._reach[at]

    def join(self, at: int, one: int, other: int) -> int | None:
        """Return where two ways from *at* come together first, None if they never do."""
        if min(self.order[one], self.order[other]) <= self.order[at]:
            return None  # one of them begins a loop again
        common = {to for to in self.reach(one) & self.reach(other) if not self.only_returns(to)}
        return min(common, key=self.order.__getitem__) if common else None

    def instructions(self, at: int) -> list[Instruction]:
        """Return all instructions of the block at *at*, with the one that ends it."""
        block = self.blocks[at]
        return [*block.body, *([block.end] if block.end is not None else [])]

    def only_returns(self, at: int) -> bool:
        """Tell whether *at* does nothing but return: compilers share such ends, or copy them."""
        block = self.blocks[at]
        return not block.body and block.end is not None and block.end.name == "RETURN_VALUE"

    def through(self, at: int) -> int:
        """Return where *at* leads if all that it does is to jump."""
        for _ in range(len(self.blocks)):
            block = self.blocks[at]
            plain = block.end is not None and block.end.name in ("JUMP_FORWARD", "JUMP_ABSOLUTE")
            if block.body or not plain or block.target is None or block.target <= at:
                return at
            at = block.target
        return at


_SILENT = {"NOP", "NOT_TAKEN", "TO_BOOL", "CACHE"}


def _in_older_words(stream: tuple[Instruction, ...]) -> list[Instruction]:
    """Return *stream* without what says nothing, and with one word for ``and`` and ``or``.

    From 3.12 on ``a or b`` copies a, jumps if it is true, and else throws it away; up to 3.11
    JUMP_IF_TRUE_OR_POP did the three.
    """
    reached = {i.value for i in stream if jumps(i.name)}
    kept = [i for i in stream if i.name not in _SILENT or i.offset in reached]
    found: list[Instruction] = []
    index = 0
    while index < len(kept):
        three = kept[index : index + 3]
        names = [i.name for i in three]
        test = three[1] if len(three) == 3 else None
        if (
            test is not None
            and names[0] == "COPY"
            and three[0].argument == 1
            and names[1] in ("POP_JUMP_IF_TRUE", "POP_JUMP_IF_FALSE")
            and names[2] == "POP_TOP"
            and not {test.offset, three[2].offset} & reached
        ):
            word = names[1].replace("POP_JUMP", "JUMP") + "_OR_POP"
            found.append(replace(test, name=word, offset=three[0].offset))
            index += 3
            continue
        found.append(kept[index])
        index += 1
    return found


def _blocks(code: Code) -> dict[int, Block]:
    stream = _in_older_words(code.instructions)
    starts = {stream[0].offset}
    for instruction, following in zip(stream, stream[1:]):
        if jumps(instruction.name) and instruction.name not in _NO_JUMPS:
            starts.add(instruction.value)
        if instruction.name == "FOR_ITER":  # a loop begins there, even if nothing leads back
            starts.add(instruction.offset)
        if _ending(instruction.name):
            starts.add(following.offset)
    if jumps(stream[-1].name):
        starts.add(stream[-1].value)
    loops = [(i.offset, i.value) for i in stream if i.name == "SETUP_LOOP"]
    starts.update(end for _, end in loops)
    if len(starts) > BLOCK_LIMIT:
        raise Stopped(f"more than {BLOCK_LIMIT} blocks")
    blocks: dict[int, Block] = {}
    block = Block(stream[0].offset)
    for index, instruction in enumerate(stream):
        if instruction.offset in starts and instruction.offset != block.at:
            if block.end is None:
                block.fall = instruction.offset
            block = Block(instruction.offset)
        blocks[block.at] = block
        if not _ending(instruction.name):
            block.body.append(instruction)
            continue
        block.end = instruction
        if instruction.name == "BREAK_LOOP":
            inside = [end for start, end in loops if start < instruction.offset < end]
            if not inside:
                raise Stopped("a break outside of loops", instruction)
            block.target = min(inside)
        elif jumps(instruction.name):
            block.target = instruction.value
        if instruction.name == "FOR_ITER" or block.conditional:
            if index + 1 == len(stream):
                raise Stopped("instructions that end nowhere", instruction)
            block.fall = stream[index + 1].offset
    return blocks


def _ending(name: str) -> bool:
    return name in _ENDS or name.startswith(_CONDITIONAL)
