"""Blocks and jumps back to if, for, while, and the expressions that branch.

One way is followed from block to block. Where a test parts it, both sides are followed to
where they meet again; what they did there says what it was: a statement, or an expression.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from capsule.bytecode.code import Code
from capsule.bytecode.decompile.comprehensions import appends, filled_collection
from capsule.bytecode.decompile.conditional_expressions import as_expression, choose, negate
from capsule.bytecode.decompile.conditions import Test, TestReader
from capsule.bytecode.decompile.dispatch import run
from capsule.bytecode.decompile.functions import argument_count
from capsule.bytecode.decompile.graph import Block, Graph
from capsule.bytecode.decompile.loops import loop_body, make_while, tested_at_both_ends
from capsule.bytecode.decompile.stack_machine import Body, Context, StackMachine
from capsule.bytecode.decompile.values import (
    AssertionErrorName,
    DecompileError,
    Entry,
    Item,
    Iterator,
    Targets,
    constant,
    identical,
)

VISIT_LIMIT = 4000

_GENERATOR = 0x20
_NOWHERE = "instructions that end nowhere"


@dataclass(frozen=True)
class Region:
    """How far a path is followed: to ``stop``, or until it repeats or leaves the loop around."""

    stop: int | None = None
    loop_head: int | None = None
    loop_end: int | None = None


class Path:
    """A way through the blocks: where it is, with which stack, and what was done so far.

    ``at`` is None where it has ended: by return, raise, break or continue.
    """

    def __init__(self, at: int, stack: Sequence[Entry], region: Region) -> None:
        self.at: int | None = at
        self.stack = list(stack)
        self.region = region
        self.statements: Body = []

    @property
    def ended(self) -> bool:
        """Whether nothing comes after its statements."""
        return self.at is None

    def go_to(self, at: int, stack: Sequence[Entry]) -> None:
        """Go on at another block."""
        self.at, self.stack = at, list(stack)

    def end(self, *statements: ast.stmt) -> None:
        """End the path with *statements*."""
        self.at = None
        self.statements.extend(statements)

    def arrives(self) -> bool:
        """Tell whether the path is at its end; one that leaves its loop ends by saying so."""
        if self.at is None or self.at == self.region.stop:
            return True
        if self.at == self.region.loop_end:
            self.end(ast.Break())
        elif self.at == self.region.loop_head:
            self.end(ast.Continue())
        return self.at is None


class Structure:
    """The statements of one code object; *statements_of* decompiles what is nested in it."""

    def __init__(self, code: Code, statements_of: Callable[[Code], Body]) -> None:
        self.code = code
        self.graph = Graph(code)
        self.context = Context(code, statements_of)
        self.visits = 0

    def statements(self) -> Body:
        """Return what the code does; raises DecompileError at what can't be told."""
        path = self.follow(self.graph.entry, [], Region())
        if not path.ended:
            raise DecompileError(_NOWHERE)
        if self.context.chains:
            raise DecompileError("a value that goes to several places, one of which is not known")
        self.require_bound()
        return path.statements

    def require_bound(self) -> None:
        """Refuse a variable that is the function's own only by code that is never reached.

        In source it would be somebody else's; so would a generator that never yields be none.
        """
        bound = {*self.code.variables[: argument_count(self.code)], *self.code.free}
        reached = [i for at in self.graph.order for i in self.graph.instructions(at)]
        for i in reached:
            names = i.value if isinstance(i.value, tuple) else (i.value,)
            if i.name.startswith(("STORE_FAST", "STORE_DEREF")):
                bound.update(names[:1] if i.name == "STORE_FAST_LOAD_FAST" else names)
        for i in reached:
            names = i.value if isinstance(i.value, tuple) else (i.value,)
            loads = i.name.startswith(("LOAD_FAST", "LOAD_DEREF", "LOAD_CLOSURE"))
            if loads and i.name != "LOAD_FAST_AND_CLEAR" and not bound.issuperset(names):
                raise DecompileError("a variable that nothing binds", i)
        if self.code.flags & _GENERATOR and not any(i.name.startswith("YIELD") for i in reached):
            raise DecompileError("a generator that yields nothing")

    def follow(
        self, at: int, stack: Sequence[Entry], region: Region, *, in_loop: bool = False
    ) -> Path:
        """Follow the code from *at* to the end of *region*. *in_loop*: *at* is its loop's head."""
        path = Path(at, stack, region)
        while in_loop or not path.arrives():
            self.visits += 1
            if self.visits > VISIT_LIMIT:
                raise DecompileError("branches beyond every limit")
            assert path.at is not None  # it has not arrived
            block = self.graph.blocks[path.at]
            if block.ends_with("FOR_ITER") and not in_loop:
                self.for_loop(block, path)
            elif block.at in self.graph.loops and not in_loop:
                self.while_loop(block, path)
            else:
                self.block(block, path)
            in_loop = False
        return path

    def block(self, block: Block, path: Path) -> None:
        """Follow the instructions of one block, and go on where they lead."""
        machine = StackMachine(self.context, path.stack, path.statements)
        run(machine, block.body)
        path.stack = machine.stack
        following = block.fall if block.target is None else block.target
        if block.conditional:
            reader = TestReader(self.graph, self.context, {path.region.stop, path.region.loop_head})
            self.branch(reader.read(block, path.stack), path)
        elif block.end is not None and block.target is None:
            path.end(self.last_statement(block, machine))
        elif following is None:
            raise DecompileError(_NOWHERE, block.end)
        else:
            path.at = following

    def last_statement(self, block: Block, machine: StackMachine) -> ast.stmt:
        """Return the return or raise that ends *block*."""
        end = block.end
        if block.ends_with("RETURN_CONST"):
            return ast.Return(constant(end.value if end else None))
        if block.ends_with("RETURN_VALUE"):
            return ast.Return(machine.expression())
        if end is not None and end.name == "RAISE_VARARGS" and end.argument in (0, 1, 2):
            parts: list[ast.expr | None] = list(machine.expressions(end.argument))
            if end.argument == 2 and machine.version < (3, 0):
                raise DecompileError("a raise in Python 2's form", end)
            return ast.Raise(*(*parts, None, None)[:2])
        raise DecompileError("an exception handler", end)

    # Branches

    def branch(self, test: Test, path: Path) -> None:
        """Follow both sides of a test to where they meet, and go on there."""
        meeting = self.graph.meeting(test.at, test.fall, test.target)
        region = path.region if meeting is None else replace(path.region, stop=meeting)
        body = self.follow(test.fall, test.fall_stack, region)
        if meeting is None:
            self.say_continue(body, test)
            both = self.returns_tested(test) and as_expression(body.statements) is not None
            if body.ended and not both:
                path.statements.append(if_or_assert(test.test, body.statements))
                path.go_to(test.target, test.target_stack)
                return
        orelse = self.follow(test.target, test.target_stack, region)
        if body.ended and orelse.ended:
            path.end(*both_return(test.test, body.statements, orelse.statements))
            return
        if body.ended or orelse.ended:
            path.statements.append(make_if(test.test, body.statements, orelse.statements))
            stack = orelse.stack if body.ended else body.stack
        else:
            stack = self.merge(test, body, orelse, path.statements)
        if region.stop is None:
            raise DecompileError(_NOWHERE)
        path.go_to(region.stop, stack)

    def say_continue(self, body: Path, test: Test) -> None:
        """End a side that only goes back to the head of its loop, where it says so itself."""
        stop = body.region.stop
        explicit = stop is not None and stop == body.region.loop_head and test.fall != stop
        if explicit and not body.statements and not body.ended:
            body.end(ast.Continue())

    def returns_tested(self, test: Test) -> bool:
        """Tell whether the other side only returns, so that both may be one expression."""
        if self.code.is_lambda:
            return True
        tested = self.context.tested
        waits = any(any(entry is part for part in tested) for entry in test.target_stack)
        return waits and self.graph.blocks[test.target].ends_with("RETURN_VALUE")

    def merge(self, test: Test, body: Path, orelse: Path, statements: Body) -> list[Entry]:
        """Add two sides that meet again to *statements*; return the stack there."""
        left, right = body.stack, orelse.stack
        if len(left) != len(right):
            raise DecompileError("two ways meet with different stacks", test.instruction)
        different = [index for index, (a, b) in enumerate(zip(left, right)) if a is not b]
        if not body.statements and not orelse.statements and different == [len(left) - 1]:
            first, second = left[-1], right[-1]
            if isinstance(first, ast.expr) and isinstance(second, ast.expr):
                return [*left[:-1], choose(test.test, first, second)]
        if different:
            raise DecompileError("two ways meet with different values", test.instruction)
        statement = make_if(test.test, body.statements, orelse.statements)
        if appends(statement):
            statements.append(statement)
        else:
            machine = StackMachine(self.context, left, statements)
            machine.emit(tested_at_both_ends(statement) or statement)
        return left

    # Loops

    def for_loop(self, block: Block, path: Path) -> None:
        """Follow the loop that begins with *block*, and go on where it ends."""
        if not path.stack or block.target is None or block.fall is None:
            raise DecompileError("a loop over nothing", block.end)
        *before, iterator = path.stack
        if isinstance(iterator, ast.Name) and iterator.id == ".0":
            iterator = Iterator(iterator)
        if not isinstance(iterator, Iterator):
            raise DecompileError("a loop over what is no iterator", block.end)
        inside = self.graph.loops.get(block.at, {block.at})
        follow = self.end_of_loop(block.target, self.leaving(inside - {block.at}, inside))
        targets = Targets(1)
        stack = [*before, iterator]
        region = Region(block.at, block.at, follow)
        body = self.follow(block.fall, [*stack, Item(targets, 0)], region)
        self.require_same_stack(body, stack, block)
        orelse: Body = []
        if follow != block.target:
            end = self.follow(block.target, before, Region(follow))
            self.require_same_stack(end, before, block)
            orelse = end.statements
        if 0 not in targets.by_index:
            raise DecompileError("a loop without a variable")
        loop = ast.For(
            targets.by_index[0], iterator.iterable, loop_body(body.statements), orelse, lineno=0
        )
        filled = filled_collection(loop)
        if filled is not None and before and before[-1] is filled[0]:
            before[-1] = filled[1]
        elif appends(loop):
            path.statements.append(loop)  # a part of the comprehension around it
        else:
            StackMachine(self.context, before, path.statements).emit(loop)
        path.go_to(follow, before)

    def while_loop(self, block: Block, path: Path) -> None:
        """Follow the loop at *block*, and go on where it ends, if it does not only return."""
        inside = self.graph.loops[block.at]
        leaving = self.leaving(inside, inside)
        follow: int | None = None
        if leaving:
            own = [at for at in block.successors if at not in inside]
            first = own[0] if own else max(leaving, key=self.graph.order.__getitem__)
            follow = self.end_of_loop(first, leaving - {first})
            if own and follow != first and not self.only_drops(first):
                raise DecompileError("a while loop with an else", block.end)
        region = Region(block.at, block.at, follow)
        body = self.follow(block.at, path.stack, region, in_loop=True)
        self.require_same_stack(body, path.stack, block)
        StackMachine(self.context, path.stack, path.statements).emit(make_while(body.statements))
        if follow is None:
            path.end()
        else:
            path.at = follow

    def require_same_stack(self, path: Path, stack: list[Entry], block: Block) -> None:
        """Refuse a loop that leaves another stack than it found."""
        if not path.ended and not identical(path.stack, stack):
            raise DecompileError("a loop that leaves something behind", block.end)

    def only_drops(self, at: int) -> bool:
        """Tell whether a block only cleans up behind ``a < b < c``."""
        return all(i.name in ("POP_TOP", "POP_BLOCK") for i in self.graph.blocks[at].body)

    def leaving(self, blocks: set[int], inside: set[int]) -> set[int]:
        """Return the blocks outside of a loop that those of *blocks* lead to."""
        return {
            self.graph.through(to)
            for at in blocks
            for to in self.graph.blocks[at].successors
            if to not in inside
        }

    def end_of_loop(self, end: int, leaving: set[int]) -> int:
        """Return what comes after a loop that ends at *end* unless it is left before."""
        common = self.graph.reach(end) & frozenset().union(*map(self.graph.reach, leaving))
        return self.graph.first(common) if common else end


def make_if(test: ast.expr, body: Body, orelse: Body) -> ast.If:
    """Return the if statement of two sides, either of which may do nothing."""
    return ast.If(test, body or [ast.Pass()], orelse)


def if_or_assert(test: ast.expr, body: Body) -> ast.stmt:
    """Return the if statement whose *body* ends the way, or the assert that it stands for."""
    statement = body[0] if len(body) == 1 else None
    error = statement.exc if isinstance(statement, ast.Raise) and not statement.cause else None
    if isinstance(error, AssertionErrorName):
        return ast.Assert(negate(test), None)
    called = isinstance(error, ast.Call) and isinstance(error.func, AssertionErrorName)
    if isinstance(error, ast.Call) and called and len(error.args) == 1 and not error.keywords:
        return ast.Assert(negate(test), error.args[0])
    return ast.If(test, body, [])


def both_return(test: ast.expr, body: Body, orelse: Body) -> Body:
    """Return the statements of two sides that both end: one expression where they are one."""
    left, right = as_expression(body), as_expression(orelse)
    if left is not None and right is not None and len(orelse) == 1:
        return [ast.Return(choose(test, left, right))]
    return [ast.If(test, body, []), *orelse]
