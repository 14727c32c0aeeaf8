"""Blocks and jumps back to if, for, while, and the expressions that branch.

One way is followed from block to block. Where a test parts it, both sides are followed to
where they meet again; what they did there says what it was: a statement, or an expression.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from capsule.bytecode.code import Code
from capsule.bytecode.decompile import stores
from capsule.bytecode.decompile.comprehensions import appends, filled
from capsule.bytecode.decompile.conditional_expressions import as_expression, choice
from capsule.bytecode.decompile.conditions import Test, read_test
from capsule.bytecode.decompile.graph import Block, Graph
from capsule.bytecode.decompile.stack_machine import Known, Machine
from capsule.bytecode.decompile.values import (
    Assertion,
    Entry,
    Item,
    Iterator,
    Stopped,
    Targets,
    constant,
    negated,
)

VISIT_LIMIT = 4000


@dataclass(frozen=True)
class Loop:
    """The loop around: where it begins again, and where it ends."""

    head: int
    follow: int | None


@dataclass
class Outcome:
    """What a stretch did: its statements, and the stack behind it, None if it never gets there."""

    statements: list[ast.stmt]
    stack: list[Entry] | None


class Structure:
    """The statements of one code object."""

    def __init__(self, code: Code) -> None:
        self.code = code
        self.graph = Graph(code)
        self.known = Known(code)
        self.visits = 0

    def statements(self) -> list[ast.stmt]:
        """Return what the code does; raises Stopped at what can't be told."""
        outcome = self.follow(self.graph.entry, None, [], None)
        if outcome.stack is not None:
            raise Stopped("instructions that end nowhere")
        if self.known.chains:
            raise Stopped("a value that goes to several places, one of which is not known")
        self.require_bound()
        return outcome.statements

    def require_bound(self) -> None:
        """Refuse a variable that is the function's own only by code that is never reached.

        In source it would be somebody else's; so would a generator that never yields be none.
        """
        count = self.code.argument_count + self.code.keyword_only_count
        count += bool(self.code.flags & 0x04) + bool(self.code.flags & 0x08)
        bound = {*self.code.variables[:count], *self.code.free}
        reached = [one for at in self.graph.order for one in self.graph.instructions(at)]
        for one in reached:
            if one.name.startswith("STORE_FAST_LOAD"):
                bound.add(one.value[0])
            elif one.name.startswith(("STORE_FAST", "STORE_DEREF")):
                bound.update(one.value if isinstance(one.value, tuple) else (one.value,))
        for one in reached:
            loaded = one.name.startswith(("LOAD_FAST", "LOAD_DEREF", "LOAD_CLOSURE"))
            names = one.value if isinstance(one.value, tuple) else (one.value,)
            if loaded and one.name != "LOAD_FAST_AND_CLEAR" and not bound.issuperset(names):
                raise Stopped("a variable that nothing binds", one)
        if self.code.flags & 0x20 and not any(one.name.startswith("YIELD") for one in reached):
            raise Stopped("a generator that yields nothing")

    def follow(
        self,
        at: int,
        stop: int | None,
        stack: Sequence[Entry],
        loop: Loop | None,
        *,
        begun: bool = False,
    ) -> Outcome:
        """Follow the code from *at* up to *stop*. *begun*: at the head of *loop* just now."""
        done: list[ast.stmt] = []
        now: list[Entry] = list(stack)
        while True:
            if not begun:
                if at == stop:
                    return Outcome(done, now)
                if loop is not None and at == loop.follow:
                    return Outcome([*done, ast.Break()], None)
                if loop is not None and at == loop.head:
                    return Outcome([*done, ast.Continue()], None)
            self.visits += 1
            if self.visits > VISIT_LIMIT:
                raise Stopped("branches beyond every limit")
            block = self.graph.blocks[at]
            if block.end is not None and block.end.name == "FOR_ITER" and not begun:
                at, now = self.for_loop(block, now, done)
                continue
            if at in self.graph.heads and not begun:
                following = self.while_loop(at, now, done)
                if following is None:
                    return Outcome(done, None)
                at = following
                continue
            begun = False
            machine = Machine(self.known, now, done)
            machine.run(block.body)
            now = machine.stack
            if block.conditional:
                test = read_test(
                    self.graph, self.known, block, now, stop, loop.head if loop else None
                )
                parted = self.part(test, stop, loop, done)
                if isinstance(parted, Outcome):
                    return parted
                at, now = parted
                continue
            if block.end is not None and block.target is None:
                self.finish(block, machine)
                return Outcome(done, None)
            following = block.target if block.target is not None else block.fall
            if following is None:
                raise Stopped("instructions that end nowhere", block.end)
            at = following

    def finish(self, block: Block, machine: Machine) -> None:
        """Add the return or raise that ends *block*."""
        end = block.end
        assert end is not None  # it was asked for by whoever calls
        if end.name == "RETURN_CONST":
            machine.statements.append(ast.Return(constant(end.value)))
        elif end.name == "RETURN_VALUE":
            machine.statements.append(ast.Return(machine.expression()))
        elif end.name == "RAISE_VARARGS" and end.argument in (0, 1, 2):
            parts: list[ast.expr | None] = list(machine.expressions(end.argument))
            if end.argument == 2 and machine.version < (3, 0):
                raise Stopped("a raise in Python 2's form", end)
            parts += [None, None]
            machine.statements.append(ast.Raise(parts[0], parts[1]))
        else:
            raise Stopped("an exception handler", end)

    # Branches

    def part(
        self, test: Test, stop: int | None, loop: Loop | None, done: list[ast.stmt]
    ) -> Outcome | tuple[int, list[Entry]]:
        """Follow both sides of a test. Returns where to go on and the stack there, or the end."""
        meeting = self.graph.join(test.at, test.fall, test.target)
        until = stop if meeting is None else meeting
        one = self.follow(test.fall, until, test.fall_stack, loop)
        explicit = loop is not None and stop == loop.head == until and test.fall != stop
        if meeting is None and explicit and not one.statements and one.stack is not None:
            one = Outcome([ast.Continue()], None)
        both = self.returns_tested(test) and as_expression(one.statements) is not None
        if meeting is None and one.stack is None and not both:
            done.append(
                asserted(test.test, one.statements) or ast.If(test.test, one.statements, [])
            )
            return test.target, test.target_stack
        other = self.follow(test.target, until, test.target_stack, loop)
        if one.stack is None and other.stack is None:
            self.both_end(test, one, other, done)
            return Outcome(done, None)
        if one.stack is None or other.stack is None:
            done.append(branch(test.test, one.statements, other.statements))
            stack = other.stack if one.stack is None else one.stack
        else:
            stack = self.merge(test, one, other, done)
        if until is None:
            raise Stopped("instructions that end nowhere")
        if meeting is None:
            return Outcome(done, stack)
        return until, stack or []

    def returns_tested(self, test: Test) -> bool:
        """Tell whether the other side only returns, so that both may be one expression."""
        if self.code.name == "<lambda>":
            return True
        block = self.graph.blocks[test.target]
        held = any(any(entry is part for part in self.known.tested) for entry in test.target_stack)
        return held and block.end is not None and block.end.name == "RETURN_VALUE"

    def both_end(self, test: Test, one: Outcome, other: Outcome, done: list[ast.stmt]) -> None:
        """Add two sides that both return: as one expression where they are one."""
        left, right = as_expression(one.statements), as_expression(other.statements)
        if left is not None and right is not None and len(other.statements) == 1:
            done.append(ast.Return(choice(test.test, left, right)))
        else:
            done.append(ast.If(test.test, one.statements, []))
            done.extend(other.statements)

    def merge(self, test: Test, one: Outcome, other: Outcome, done: list[ast.stmt]) -> list[Entry]:
        """Add two sides that meet again; return the stack there."""
        left, right = one.stack or [], other.stack or []
        if len(left) != len(right):
            raise Stopped("two ways meet with different stacks", test.instruction)
        different = [i for i, (a, b) in enumerate(zip(left, right)) if a is not b]
        if not one.statements and not other.statements and different == [len(left) - 1]:
            a, b = left[-1], right[-1]
            if isinstance(a, ast.expr) and isinstance(b, ast.expr):
                return [*left[:-1], choice(test.test, a, b)]
        if different:
            raise Stopped("two ways meet with different values", test.instruction)
        statement = branch(test.test, one.statements, other.statements)
        inverted = _inverted(statement)
        if appends(statement):
            done.append(statement)
        else:
            Machine(self.known, left, done).emit(inverted or statement)
        return left

    # Loops

    def for_loop(
        self, block: Block, stack: list[Entry], done: list[ast.stmt]
    ) -> tuple[int, list[Entry]]:
        """Follow the loop that begins with *block*; return where it ends and the stack there."""
        if not stack or block.target is None or block.fall is None:
            raise Stopped("a loop over nothing", block.end)
        top = stack[-1]
        if isinstance(top, ast.Name) and top.id == ".0":
            top = Iterator(top)
        if not isinstance(top, Iterator):
            raise Stopped("a loop over what is no iterator", block.end)
        inside = self.graph.heads.get(block.at, {block.at})
        leaving = self.leaving(inside - {block.at}, inside)
        follow = self.follow_of(block.target, leaving)
        targets = Targets(1)
        within = [*stack[:-1], top]
        loop = Loop(block.at, follow)
        body = self.follow(block.fall, block.at, [*within, Item(targets, 0)], loop)
        if body.stack is not None and not _identical(body.stack, within):
            raise Stopped("a loop that leaves something behind", block.end)
        behind: list[Entry] = list(stack[:-1])
        orelse: list[ast.stmt] = []
        if follow != block.target:
            end = self.follow(block.target, follow, behind, None)
            orelse = end.statements
            if end.stack is not None and not _identical(end.stack, behind):
                raise Stopped("a loop that leaves something behind", block.end)
        statement = ast.For(
            stores.for_target(targets), top.of, _body(body.statements), orelse, lineno=0
        )
        found = filled(statement)
        if found is not None and behind and behind[-1] is found[0]:
            behind[-1] = found[1]
        elif appends(statement):
            done.append(statement)  # a part of the comprehension around it
        else:
            Machine(self.known, behind, done).emit(statement)
        return follow, behind

    def while_loop(self, head: int, stack: list[Entry], done: list[ast.stmt]) -> int | None:
        """Follow the loop at *head*; return where it ends, None if it only returns."""
        inside = self.graph.heads[head]
        leaving = self.leaving(inside, inside)
        follow: int | None = None
        if leaving:
            own = [at for at in self.graph.blocks[head].successors if at not in inside]
            first = own[0] if own else max(leaving, key=self.graph.order.__getitem__)
            follow = self.follow_of(first, leaving - {first})
            if own and follow != first and not self.only_drops(first):
                raise Stopped("a while loop with an else", self.graph.blocks[head].end)
        body = self.follow(head, head, stack, Loop(head, follow), begun=True)
        if body.stack is not None and not _identical(body.stack, stack):
            raise Stopped("a loop that leaves something behind", self.graph.blocks[head].end)
        Machine(self.known, stack, done).emit(_while(_body(body.statements)))
        return follow

    def only_drops(self, at: int) -> bool:
        """Tell whether a block only cleans up behind ``a < b < c``."""
        return all(i.name in ("POP_TOP", "POP_BLOCK") for i in self.graph.blocks[at].body)

    def leaving(self, of: set[int], inside: set[int]) -> set[int]:
        """Return the blocks outside of a loop that those *of* it lead to."""
        return {
            self.graph.through(to)
            for at in of
            for to in self.graph.blocks[at].successors
            if to not in inside
        }

    def follow_of(self, end: int, leaving: set[int]) -> int:
        """Return what comes after a loop that ends at *end* unless it is left before."""
        common = self.graph.reach(end) & frozenset().union(*map(self.graph.reach, leaving))
        return min(common, key=self.graph.order.__getitem__) if common else end


def branch(test: ast.expr, one: list[ast.stmt], other: list[ast.stmt]) -> ast.If:
    """Return the if statement of two sides, either of which may do nothing."""
    return ast.If(test, one or [ast.Pass()], other)


def asserted(test: ast.expr, statements: list[ast.stmt]) -> ast.Assert | None:
    """Return the assert statement that raises if *test* holds; None if it is none."""
    raised = statements[0] if len(statements) == 1 else None
    error = raised.exc if isinstance(raised, ast.Raise) and raised.cause is None else None
    if isinstance(error, Assertion):
        return ast.Assert(negated(test), None)
    called = isinstance(error, ast.Call) and isinstance(error.func, Assertion)
    if isinstance(error, ast.Call) and called and len(error.args) == 1 and not error.keywords:
        return ast.Assert(negated(test), error.args[0])
    return None


def _body(statements: list[ast.stmt]) -> list[ast.stmt]:
    if statements and isinstance(statements[-1], ast.Continue):
        statements = statements[:-1]
    return statements or [ast.Pass()]


def _identical(one: list[Entry], other: list[Entry]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other))


def _while(body: list[ast.stmt]) -> ast.While:
    """Return the while loop of a body that leaves it by itself."""
    if len(body) >= 2 and isinstance(body[-1], ast.Break) and isinstance(body[-2], ast.If):
        body = _turned(body[:-1])
    first = body[0]
    if len(body) == 1 and isinstance(first, ast.If) and _breaks(first.orelse):
        return ast.While(first.test, _body(first.body), [])
    return ast.While(ast.Constant(True), body, [])


def _turned(statements: list[ast.stmt]) -> list[ast.stmt]:
    """Return what stands before a break at a loop's end, with the break where it leads to it.

    What said continue comes to the end of the body by itself then.
    """
    last = statements[-1] if statements else None
    if isinstance(last, ast.Continue):
        return statements[:-1]
    if isinstance(last, (ast.Return, ast.Raise, ast.Break)):
        return statements
    if isinstance(last, ast.If):
        one, other = _turned(last.body), _turned(last.orelse)
        whole = ast.If(last.test, one, other) if one else ast.If(negated(last.test), other, [])
        return [*statements[:-1], whole]
    kept = [one for one in statements if not isinstance(one, ast.Pass)]
    return [*kept, ast.Break()]


def _breaks(statements: list[ast.stmt]) -> bool:
    return len(statements) == 1 and isinstance(statements[0], ast.Break)


def _continues(statements: list[ast.stmt]) -> bool:
    """Tell whether one of *statements* goes on with the loop that they stand in."""
    return any(
        isinstance(one, ast.Continue)
        or (isinstance(one, ast.If) and (_continues(one.body) or _continues(one.orelse)))
        for one in statements
    )


def _inverted(statement: ast.If) -> ast.While | None:
    """Return the while loop whose test stands before it and again at its end."""
    if len(statement.body) != 1 or statement.orelse:
        return None
    loop = statement.body[0]
    if not isinstance(loop, ast.While) or not isinstance(loop.test, ast.Constant):
        return None
    last = loop.body[-1]
    if not isinstance(last, ast.If) or not _breaks(last.body) or last.orelse:
        return None
    if _continues(loop.body[:-1]):
        return None  # which leads past the test at the end
    if ast.dump(negated(last.test)) != ast.dump(statement.test):
        return None
    return ast.While(statement.test, _body(loop.body[:-1]), [])
