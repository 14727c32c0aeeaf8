"""Code as blocks: which instructions run in a row, where they lead, what is a loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from capsule.bytecode.code import Code, Instruction
from capsule.bytecode.decompile.values import DecompileError
from capsule.bytecode.instructions import jumps

BLOCK_LIMIT = 500

# By how their names begin: what decides on a test, what jumps, and what else ends a block.
_CONDITIONAL = ("POP_JUMP_", "JUMP_IF_")
_JUMPS = ("POP_JUMP_", "JUMP_", "CONTINUE_LOOP", "BREAK_LOOP", "FOR_ITER")
_ENDS = (*_JUMPS, "RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE")
_NO_JUMPS = {"SETUP_LOOP", "SETUP_EXCEPT", "SETUP_FINALLY", "SETUP_WITH", "SETUP_ASYNC_WITH"}
_SILENT = {"NOP", "NOT_TAKEN", "TO_BOOL", "CACHE"}


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

    def ends_with(self, name: str) -> bool:
        """Tell whether an instruction of that name decides what comes next."""
        return self.end is not None and self.end.name == name


class Graph:
    """The blocks of one code object that can be reached, in an order of no way back.

    ``loops`` holds, by the head of each loop, the blocks that lead back to it.
    """

    def __init__(self, code: Code) -> None:
        self.blocks = _read_blocks(code)
        self.entry = min(self.blocks)
        self.loops: dict[int, set[int]] = {}
        self.order: dict[int, int] = {}
        self.predecessors: dict[int, set[int]] = {at: set() for at in self.blocks}
        self._search()
        self._reach: dict[int, frozenset[int]] = {}

    def _search(self) -> None:
        finished: list[int] = []
        seen, on_path = {self.entry}, {self.entry}
        backward: list[tuple[int, int]] = []
        path = [(self.entry, iter(self.blocks[self.entry].successors))]
        while path:
            at, rest = path[-1]
            following = next(rest, None)
            if following is None:
                path.pop()
                on_path.discard(at)
                finished.append(at)
                continue
            if following not in self.blocks:
                raise DecompileError("instructions that end nowhere")
            self.predecessors[following].add(at)
            if following in on_path:
                backward.append((at, following))
            elif following not in seen:
                seen.add(following)
                on_path.add(following)
                path.append((following, iter(self.blocks[following].successors)))
        self.order = {at: place for place, at in enumerate(reversed(finished))}
        for tail, head in backward:
            self.loops.setdefault(head, {head}).update(self._leading(tail, head))

    def _leading(self, tail: int, head: int) -> set[int]:
        """Return the blocks from which *tail* is reached without passing *head*, and *head*."""
        blocks, waiting = {head}, deque([tail])
        while waiting:
            at = waiting.popleft()
            if at not in blocks:
                blocks.add(at)
                waiting.extend(self.predecessors[at])
        return blocks

    def reach(self, at: int) -> frozenset[int]:
        """Return the blocks that can come after *at*, itself too, never going back."""
        if at not in self._reach:
            blocks: set[int] = set()
            waiting = deque([at])
            while waiting:
                block = waiting.popleft()
                if block not in blocks:
                    blocks.add(block)
                    place = self.order[block]
                    following = self.blocks[block].successors
                    waiting.extend(to for to in following if self.order[to] > place)
            self._reach[at] = frozenset(blocks)
        return self._reach[at]

    def first(self, blocks: Iterable[int]) -> int:
        """Return the one of *blocks* that comes first."""
        return min(blocks, key=self.order.__getitem__)

    def meeting(self, at: int, left: int, right: int) -> int | None:
        """Return where two ways from *at* come together first, None if they never do."""
        if min(self.order[left], self.order[right]) <= self.order[at]:
            return None  # one of them begins a loop again
        common = {to for to in self.reach(left) & self.reach(right) if not self.only_returns(to)}
        return self.first(common) if common else None

    def instructions(self, at: int) -> list[Instruction]:
        """Return all instructions of the block at *at*, with the one that ends it."""
        block = self.blocks[at]
        return block.body if block.end is None else [*block.body, block.end]

    def only_returns(self, at: int) -> bool:
        """Tell whether *at* does nothing but return: compilers share such ends, or copy them."""
        return not self.blocks[at].body and self.blocks[at].ends_with("RETURN_VALUE")

    def through(self, at: int) -> int:
        """Return where *at* leads if all that it does is to jump."""
        for _ in range(len(self.blocks)):
            block = self.blocks[at]
            plain = block.ends_with("JUMP_FORWARD") or block.ends_with("JUMP_ABSOLUTE")
            if block.body or not plain or block.target is None or block.target <= at:
                break
            at = block.target
        return at


def _in_older_words(stream: tuple[Instruction, ...]) -> list[Instruction]:
    """Return *stream* without what says nothing, and with one word for ``and`` and ``or``.

    From 3.12 on ``a or b`` copies a, jumps if it is true, and else throws it away; up to 3.11
    JUMP_IF_TRUE_OR_POP did the three.
    """
    targets = {i.value for i in stream if jumps(i.name)}
    rest = deque(i for i in stream if i.name not in _SILENT or i.offset in targets)
    instructions: list[Instruction] = []
    while rest:
        instruction = rest.popleft()
        if len(rest) >= 2 and _is_copy_test_pop(instruction, rest[0], rest[1], targets):
            test = rest.popleft()
            rest.popleft()
            word = test.name.replace("POP_JUMP", "JUMP") + "_OR_POP"
            instruction = replace(test, name=word, offset=instruction.offset)
        instructions.append(instruction)
    return instructions


def _is_copy_test_pop(
    copy: Instruction, test: Instruction, pop: Instruction, targets: set[int]
) -> bool:
    return (
        (copy.name, copy.argument, pop.name) == ("COPY", 1, "POP_TOP")
        and test.name in ("POP_JUMP_IF_TRUE", "POP_JUMP_IF_FALSE")
        and not {test.offset, pop.offset} & targets
    )


def _read_blocks(code: Code) -> dict[int, Block]:
    stream = _in_older_words(code.instructions)
    starts = _block_starts(stream)
    if len(starts) > BLOCK_LIMIT:
        raise DecompileError(f"more than {BLOCK_LIMIT} blocks")
    loops = [(i.offset, i.value) for i in stream if i.name == "SETUP_LOOP"]
    blocks: dict[int, Block] = {}
    block = Block(stream[0].offset)
    for index, instruction in enumerate(stream):
        if instruction.offset in starts and instruction.offset != block.at:
            if block.end is None:
                block.fall = instruction.offset
            block = Block(instruction.offset)
        blocks[block.at] = block
        if _is_end(instruction.name):
            following = stream[index + 1].offset if index + 1 < len(stream) else None
            _end_block(block, instruction, following, loops)
        else:
            block.body.append(instruction)
    return blocks


def _block_starts(stream: list[Instruction]) -> set[int]:
    starts = {stream[0].offset}
    starts.update(after.offset for end, after in zip(stream, stream[1:]) if _is_end(end.name))
    # A loop begins at FOR_ITER even if nothing leads back, and ends where SETUP_LOOP says.
    starts.update(i.offset for i in stream if i.name == "FOR_ITER")
    starts.update(
        i.value
        for i in stream
        if jumps(i.name) and (i.name not in _NO_JUMPS or i.name == "SETUP_LOOP" or i is stream[-1])
    )
    return starts


def _end_block(
    block: Block, end: Instruction, following: int | None, loops: list[tuple[int, int]]
) -> None:
    block.end = end
    if end.name == "BREAK_LOOP":
        ends = [stop for start, stop in loops if start < end.offset < stop]
        if not ends:
            raise DecompileError("a break outside of loops", end)
        block.target = min(ends)
    elif jumps(end.name):
        block.target = end.value
    if end.name == "FOR_ITER" or block.conditional:
        if following is None:
            raise DecompileError("instructions that end nowhere", end)
        block.fall = following


def _is_end(name: str) -> bool:
    return name.startswith(_ENDS)
