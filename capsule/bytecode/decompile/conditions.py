"""What a conditional jump decides on: one test, or several that were joined by and and or."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace

from capsule.bytecode.code import Instruction
from capsule.bytecode.decompile.conditional_expressions import chain, join, negate
from capsule.bytecode.decompile.dispatch import run
from capsule.bytecode.decompile.graph import Block, Graph
from capsule.bytecode.decompile.stack_machine import Context, StackMachine
from capsule.bytecode.decompile.values import DecompileError, Entry, identical


@dataclass(frozen=True)
class Test:
    """If ``test`` holds, the code goes on at ``fall``, else at ``target``; with which stack.

    ``keeps`` tells that the target finds the tested value on the stack; ``blocks`` are those
    whose jumps the test is made of.
    """

    at: int
    blocks: frozenset[int]
    test: ast.expr
    fall: int
    target: int
    fall_stack: list[Entry]
    target_stack: list[Entry]
    instruction: Instruction
    keeps: bool = False


class TestReader:
    """Reads tests of *graph*; blocks in *outside* belong to no test, since a loop ends there."""

    def __init__(self, graph: Graph, context: Context, outside: set[int | None]) -> None:
        self.graph, self.context, self.outside = graph, context, outside

    def read(self, block: Block, stack: list[Entry]) -> Test:
        """Return what the jump that ends *block* decides, those that belong to it included."""
        test = self._single(block, stack, frozenset())
        while (longer := self._with_next(test)) is not None:
            test = longer
        return test

    def _single(self, block: Block, stack: list[Entry], before: frozenset[int]) -> Test:
        end = block.end
        if end is None or block.fall is None or block.target is None:
            raise DecompileError("a jump that leads nowhere", end)
        machine = StackMachine(self.context, stack, [])
        try:
            value = machine.expression()
        except DecompileError as error:
            raise DecompileError(error.reason, end) from None
        self.context.tested.append(value)
        if isinstance(value, ast.Compare):
            self.context.tested.append(value.comparators[-1])
        keeps = end.name in ("JUMP_IF_TRUE_OR_POP", "JUMP_IF_FALSE_OR_POP")
        return Test(
            block.at,
            before | {block.at},
            _tested(value, end.name, keeps=keeps),
            block.fall,
            self.graph.through(block.target),
            machine.stack,
            [*machine.stack, value] if keeps else machine.stack,
            end,
            keeps,
        )

    def _with_next(self, test: Test) -> Test | None:
        """Return *test* and the one it falls to as one, None if they don't belong together."""
        following = self.graph.blocks[test.fall]
        if not following.conditional or following.at in self.graph.loops:
            return None
        if following.at in self.outside:
            return None
        if not self.graph.predecessors[following.at] <= test.blocks:
            return None
        machine = StackMachine(self.context, test.fall_stack, [])
        try:
            run(machine, following.body)
            second = self._single(following, machine.stack, test.blocks)
        except DecompileError:
            return None  # whoever follows that way will say what it is
        if machine.statements:
            return None
        if test.keeps:
            return self._longer_comparison(test, second)
        # `a and (b or c)`: what stands in brackets is a test of its own, of as many parts
        # as it takes to decide on the same ways.
        part: Test | None = second
        while part is not None:
            whole = self._joined(test, part)
            if whole is not None:
                return whole
            part = self._with_next(part)
        return None

    def _longer_comparison(self, test: Test, second: Test) -> Test | None:
        """Return ``a < b < c`` of two comparisons whose value is kept if it decides."""
        left, right = test.test, second.test
        if not (isinstance(left, ast.Compare) and isinstance(right, ast.Compare) and second.keeps):
            return None
        if second.target != test.target or right.left is not left.comparators[-1]:
            return None
        whole = chain(left, right)
        self.context.tested.append(whole)
        return replace(second, test=whole, target_stack=[*second.target_stack[:-1], whole])

    def _joined(self, test: Test, second: Test) -> Test | None:
        """Return two tests as one, the second of which is read where the first one holds."""
        if second.keeps:
            return self._joined_value(test, second)
        target, target_stack = test.target, test.target_stack
        link = self._chain_link(test, second)
        if link is not None:
            target, target_stack = link, second.target_stack
        elif not identical(second.fall_stack, test.fall_stack):
            return None
        if second.target == target:
            if link is not None and isinstance(test.test, ast.Compare):
                if not isinstance(second.test, ast.Compare):
                    return None
                whole: ast.expr = chain(test.test, second.test)
            else:
                whole = join(ast.And, test.test, second.test)
        elif self.graph.through(second.fall) == target and link is None:
            whole = join(ast.Or, negate(test.test), second.test)
        else:
            return None
        return replace(second, test=whole, target_stack=target_stack)

    def _joined_value(self, test: Test, second: Test) -> Test | None:
        """Return ``a and b`` of ``a and b or c``, whose value is kept if it decides."""
        if self.graph.through(second.fall) != test.target:
            return None
        value = second.target_stack[-1]
        if not identical(second.fall_stack, test.fall_stack) or not isinstance(value, ast.expr):
            return None
        if second.test is value:
            whole = join(ast.Or, negate(test.test), value)
            decided: ast.expr = whole
        else:
            whole = join(ast.And, test.test, value)
            decided = ast.UnaryOp(ast.Not(), whole)
        return replace(second, test=decided, target_stack=[*second.target_stack[:-1], whole])

    def _chain_link(self, test: Test, second: Test) -> int | None:
        """Return where ``a < b < c`` goes if its first half fails: past what takes ``b`` away."""
        first = test.test
        if not isinstance(first, ast.Compare) or not test.fall_stack:
            return None
        if test.fall_stack[-1] is not first.comparators[-1]:
            return None
        if not identical(second.fall_stack, test.fall_stack[:-1]):
            return None
        block = self.graph.blocks[test.target]
        if [i.name for i in block.body] != ["POP_TOP"] or not block.successors:
            return None
        return self.graph.through(block.successors[0])


def _tested(value: ast.expr, name: str, *, keeps: bool) -> ast.expr:
    """Return what holds where a jump of that *name*, which tests *value*, is not taken."""
    if name.endswith("NONE"):
        # Jumps if it is, or is not, None: what falls through is the opposite.
        operator = ast.Is() if "NOT_NONE" in name else ast.IsNot()
        return ast.Compare(value, [operator], [ast.Constant(None)])
    if "_TRUE" in name:
        # A value that goes on is recognized by being the same object: it stays as it is.
        return ast.UnaryOp(ast.Not(), value) if keeps else negate(value)
    return value
