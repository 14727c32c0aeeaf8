"""What a conditional jump decides on: one test, or several that were joined by and and or."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from capsule.bytecode.code import Instruction
from capsule.bytecode.decompile.graph import Block, Graph
from capsule.bytecode.decompile.stack_machine import Known, Machine
from capsule.bytecode.decompile.values import Entry, Stopped, chained, joined, negated


@dataclass
class Test:
    """If ``test`` holds, the code goes on at ``fall``, else at ``target``; with which stack."""

    at: int
    test: ast.expr
    fall: int
    target: int
    fall_stack: list[Entry]
    target_stack: list[Entry]
    instruction: Instruction
    keeps: bool = False  # the tested value is what the target finds on the stack


def read_test(
    graph: Graph,
    known: Known,
    block: Block,
    stack: list[Entry],
    stop: int | None,
    head: int | None,
) -> Test:
    """Return what the jump that ends *block* decides, those that belong to it included."""
    return _Reader(graph, known, {stop, head}).widened(
        _single(graph, known, block, stack), {block.at}
    )


class _Reader:
    def __init__(self, graph: Graph, known: Known, outside: set[int | None]) -> None:
        self.graph, self.known, self.outside = graph, known, outside

    def widened(self, test: Test, passed: set[int]) -> Test:
        """Return *test* with all that follow and decide on the same two ways."""
        more: Test | None = test
        while more is not None:
            test = more
            more = self.with_next(test, passed)
        return test

    def with_next(self, test: Test, passed: set[int]) -> Test | None:
        """Return *test* and the one it falls to as one, None if they don't belong together."""
        following = self.graph.blocks[test.fall]
        if not following.conditional or following.at in self.graph.heads:
            return None
        if following.at in self.outside or not self.graph.before[following.at] <= passed:
            return None
        statements: list[ast.stmt] = []
        machine = Machine(self.known, test.fall_stack, statements)
        try:
            machine.run(following.body)
            second: Test | None = _single(self.graph, self.known, following, machine.stack)
        except Stopped:
            return None  # whoever follows that way will say what it is
        if test.keeps:
            return None if statements or second is None else _longer(self.known, test, second)
        inner = {*passed, following.at}
        # `a and (b or c)`: what stands in brackets is a test of its own, of as many parts
        # as it takes to decide on the same ways.
        while second is not None and not statements:
            found = _joined(self.graph, test, second)
            if found is not None:
                passed |= inner
                return found
            second = self.with_next(second, inner)
        return None


def _longer(known: Known, test: Test, second: Test) -> Test | None:
    """Return ``a < b < c`` of two comparisons whose value is kept if it decides."""
    one, other = test.test, second.test
    if not (isinstance(one, ast.Compare) and isinstance(other, ast.Compare) and second.keeps):
        return None
    if second.target != test.target or other.left is not one.comparators[-1]:
        return None
    whole = chained(one, other)
    known.tested.append(whole)
    return Test(
        second.at,
        whole,
        second.fall,
        second.target,
        second.fall_stack,
        [*second.target_stack[:-1], whole],
        second.instruction,
        keeps=True,
    )


def _single(graph: Graph, known: Known, block: Block, stack: list[Entry]) -> Test:
    end = block.end
    if end is None or block.fall is None or block.target is None:
        raise Stopped("a jump that leads nowhere", end)
    machine = Machine(known, stack, [])
    try:
        value = machine.expression()
    except Stopped as stopped:
        raise Stopped(stopped.why, end) from None
    known.tested.append(value)
    if isinstance(value, ast.Compare):
        known.tested.append(value.comparators[-1])
    left = machine.stack
    name = end.name
    keeps = name in ("JUMP_IF_TRUE_OR_POP", "JUMP_IF_FALSE_OR_POP")
    if name.endswith("NONE"):
        # Jumps if it is, or is not, None: what falls through is the opposite.
        operator = ast.Is() if "NOT_NONE" in name else ast.IsNot()
        test: ast.expr = ast.Compare(value, [operator], [ast.Constant(None)])
    elif "_TRUE" in name:
        # Where the value goes on, it is known by being the same: it stays as it is.
        test = ast.UnaryOp(ast.Not(), value) if keeps else negated(value)
    else:
        test = value
    return Test(
        block.at,
        test,
        block.fall,
        graph.through(block.target),
        list(left),
        [*left, value] if keeps else list(left),
        end,
        keeps,
    )


def _joined(graph: Graph, test: Test, second: Test) -> Test | None:
    """Return two tests as one, the second of which is read where the first one holds."""
    if second.keeps:
        return _kept(graph, test, second)
    target, target_stack = test.target, test.target_stack
    link = _link(graph, test, second)
    if link is not None:
        target, target_stack = link, second.target_stack
    elif not _alike(second.fall_stack, test.fall_stack):
        return None
    if second.target == target:
        if link is not None and isinstance(test.test, ast.Compare):
            if not isinstance(second.test, ast.Compare):
                return None
            whole: ast.expr = chained(test.test, second.test)
        else:
            whole = joined(ast.And, test.test, second.test)
    elif graph.through(second.fall) == target and link is None:
        whole = joined(ast.Or, negated(test.test), second.test)
    else:
        return None
    return Test(
        second.at,
        whole,
        second.fall,
        second.target,
        second.fall_stack,
        target_stack,
        second.instruction,
    )


def _kept(graph: Graph, test: Test, second: Test) -> Test | None:
    """Return ``a and b`` of ``a and b or c``, whose value is kept if it decides."""
    if graph.through(second.fall) != test.target:
        return None
    if not _alike(second.fall_stack, test.fall_stack):
        return None
    value = second.target_stack[-1]
    if not isinstance(value, ast.expr):
        return None
    if second.test is value:
        whole = joined(ast.Or, negated(test.test), value)
        decided: ast.expr = whole
    else:
        whole = joined(ast.And, test.test, value)
        decided = ast.UnaryOp(ast.Not(), whole)
    return Test(
        second.at,
        decided,
        second.fall,
        second.target,
        second.fall_stack,
        [*second.target_stack[:-1], whole],
        second.instruction,
        keeps=True,
    )


def _link(graph: Graph, test: Test, second: Test) -> int | None:
    """Return where ``a < b < c`` goes if its first half fails: past what takes ``b`` away."""
    first = test.test
    if not isinstance(first, ast.Compare) or not test.fall_stack:
        return None
    if test.fall_stack[-1] is not first.comparators[-1]:
        return None
    if not _alike(second.fall_stack, test.fall_stack[:-1]):
        return None
    block = graph.blocks[test.target]
    if [i.name for i in block.body] != ["POP_TOP"] or not block.successors:
        return None
    return graph.through(block.successors[0])


def _alike(one: list[Entry], other: list[Entry]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other))
