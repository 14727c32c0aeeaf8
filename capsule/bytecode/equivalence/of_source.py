"""Source followed statement by statement over terms: the second of the two forms."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

from capsule.bytecode.equivalence.expressions import Expressions, Scope, stored_in
from capsule.bytecode.equivalence.symbolic_values import Loop, unpacked
from capsule.bytecode.equivalence.terms import Ended, Term, Terms, Unknown, World


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class Reader(Expressions):
    """One function's body, followed as Python says; expressions as in Expressions."""

    def run(self, body: list[ast.stmt]) -> tuple[Any, ...]:
        """Follow *body* to its end; return how it ended."""
        try:
            self.statements(body)
            outcome: tuple[Any, ...] = ("return", self.terms.constant(None))
        except Ended as ended:
            outcome = ended.outcome
        if self.yields:
            return ("generator", tuple(self.yields), outcome)
        return outcome

    def statements(self, body: Iterable[ast.stmt]) -> None:
        """Follow statements in a row."""
        for one in body:
            self.world.step()
            follow = getattr(self, f"do_{type(one).__name__}", None)
            if follow is None:
                raise Unknown(f"{type(one).__name__} is not followed")
            follow(one)

    def do_Return(self, node: ast.Return) -> None:
        value = self.terms.constant(None) if node.value is None else self.value(node.value)
        raise Ended(("return", value))

    def do_Raise(self, node: ast.Raise) -> None:
        parts = [self.value(part) for part in (node.exc, node.cause) if part is not None]
        raise Ended(("raise", *parts))

    def do_Assert(self, node: ast.Assert) -> None:
        if self.holds(node.test):
            return
        error = self.terms.of("global", "AssertionError")
        if node.msg is not None:
            error = self.called(error, [self.value(node.msg)], [])
        raise Ended(("raise", error))

    def do_Expr(self, node: ast.Expr) -> None:
        self.value(node.value)

    def do_Pass(self, node: ast.Pass) -> None:
        pass

    do_Global = do_Nonlocal = do_Pass

    def do_Assign(self, node: ast.Assign) -> None:
        value = self.value(node.value)
        for target in node.targets:
            self.assign(target, value)

    def do_AugAssign(self, node: ast.AugAssign) -> None:
        operator = self.operator(node.op) + "="
        target = node.target
        if isinstance(target, ast.Name):
            left = self.load(target.id)
            self.assign(target, self.world.do("binary", operator, left, self.value(node.value)))
            return
        place = self.place(target)
        left = self.world.do(*place)
        made = self.world.do("binary", operator, left, self.value(node.value))
        self.world.do("store", *place, made)

    def do_Delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.load(target.id)
                self.scope.names.pop(target.id, None)
            else:
                self.world.do("delete", *self.place(target))

    def do_If(self, node: ast.If) -> None:
        self.statements(node.body if self.holds(node.test) else node.orelse)

    def do_While(self, node: ast.While) -> None:
        while self.holds(node.test):
            self.world.step()
            if not self.goes_on(node.body):
                return
        self.statements(node.orelse)

    def do_For(self, node: ast.For) -> None:
        loop = Loop(self.world.do("iterate", self.value(node.iter)))
        while (item := loop.following(self.world)) is not None:
            self.assign(node.target, item)
            if not self.goes_on(node.body):
                return
        self.statements(node.orelse)

    def goes_on(self, body: list[ast.stmt]) -> bool:
        """Follow a loop's body once; tell whether the loop goes on."""
        try:
            self.statements(body)
        except _Break:
            return False
        except _Continue:
            pass
        return True

    def do_Break(self, node: ast.Break) -> None:
        raise _Break

    def do_Continue(self, node: ast.Continue) -> None:
        raise _Continue

    def do_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            module = self.world.do("import", alias.name, "0", ())
            parts = alias.name.split(".")
            if alias.asname is None:
                self.store(parts[0], module)
                continue
            for part in parts[1:]:
                module = self.terms.of("from", module, part)
            self.store(alias.asname, module)

    def do_ImportFrom(self, node: ast.ImportFrom) -> None:
        names = tuple(repr(alias.name) for alias in node.names)
        module = self.world.do("import", node.module or "", str(node.level), names)
        for alias in node.names:
            self.store(alias.asname or alias.name, self.terms.of("from", module, alias.name))

    def do_FunctionDef(self, node: ast.FunctionDef) -> None:
        decorators = [self.value(one) for one in node.decorator_list]
        made = self.function(node.args, node.body)
        for decorator in reversed(decorators):
            made = self.called(decorator, [made], [])
        self.store(node.name, made)

    def followed(self, body: list[ast.stmt], scope: Scope, world: World) -> tuple[Any, ...]:
        return Reader(world, scope).run(body)

    def assign(self, target: ast.expr, value: Term) -> None:
        """Give *value* to *target*, unpacking it where that is several."""
        if isinstance(target, ast.Name):
            self.store(target.id, value)
        elif isinstance(target, (ast.Tuple, ast.List)):
            starred = [i for i, one in enumerate(target.elts) if isinstance(one, ast.Starred)]
            first = starred[0] if starred else None
            count = len(target.elts)
            behind = count - 1 - first if first is not None else 0
            items = unpacked(self.world, value, count, first, behind)
            for one, item in zip(target.elts, items):
                self.assign(one.value if isinstance(one, ast.Starred) else one, item)
        else:
            self.world.do("store", *self.place(target), value)


def outcome_of_source(
    function: ast.Lambda | ast.FunctionDef, free: Iterable[str], terms: Terms, seed: int
) -> tuple[Any, ...]:
    """Return how *function* ends over the given chances.

    *free* are the names that a closure brings. Raises Unknown for what is not followed.
    """
    world = World(terms, seed)
    if isinstance(function, ast.Lambda):
        body: list[ast.stmt] = [ast.Return(function.body)]
    else:
        body = function.body
    own = terms.once(function.args, lambda: stored_in(function.args, body))
    scope = Scope(own, frozenset(free))
    for name in scope.arguments:
        scope.names[name] = terms.of("argument", name)
    outcome = Reader(world, scope).run(body)
    return (*outcome, tuple(world.log))
