"""The symbolic execution of source, statement by statement: the second of the two forms."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from capsule.bytecode.equivalence.expressions import Expressions
from capsule.bytecode.equivalence.paths import Ended, Execution, Outcome, Path
from capsule.bytecode.equivalence.scopes import make_scope
from capsule.bytecode.equivalence.terms import Term, Terms


class _BodyEnd(Exception):
    """A loop's body ends by ``break`` or ``continue``; ``goes_on`` tells which."""

    def __init__(self, *, goes_on: bool) -> None:
        self.goes_on = goes_on


class _Function(Expressions):
    """Executes the body of one function; each visit_X of a statement gives no value."""

    def run(self, body: list[ast.stmt]) -> Outcome:
        try:
            self.execute(body)
            outcome = Outcome("return", (self.terms.constant(None),))
        except Ended as end:
            outcome = end.outcome
        return Outcome("generator", (tuple(self.yields), outcome)) if self.yields else outcome

    def execute(self, body: list[ast.stmt]) -> None:
        """Execute statements in a row."""
        for statement in body:
            self.visitor(statement)(statement)

    def visit_Return(self, node: ast.Return) -> None:
        value = self.terms.constant(None) if node.value is None else self.value(node.value)
        raise Ended(Outcome("return", (value,)))

    def visit_Raise(self, node: ast.Raise) -> None:
        parts = [self.value(part) for part in (node.exc, node.cause) if part is not None]
        raise Ended(Outcome("raise", tuple(parts)))

    def visit_Assert(self, node: ast.Assert) -> None:
        if self.holds(node.test):
            return
        error = self.terms.intern("global", "AssertionError")
        if node.msg is not None:
            error = self.path.call(error, [self.value(node.msg)])
        raise Ended(Outcome("raise", (error,)))

    def visit_Expr(self, node: ast.Expr) -> None:
        self.value(node.value)

    def visit_Pass(self, node: ast.Pass) -> None:
        pass

    visit_Global = visit_Nonlocal = visit_Pass

    def visit_Assign(self, node: ast.Assign) -> None:
        value = self.value(node.value)
        for target in node.targets:
            self.assign(target, value)

    def assign(self, target: ast.expr, value: Term) -> None:
        """Give *value* to *target*, unpacking it where that is several."""
        if isinstance(target, ast.Name):
            self.store(target.id, value)
        elif isinstance(target, (ast.Tuple, ast.List)):
            count = len(target.elts)
            stars = [i for i, part in enumerate(target.elts) if isinstance(part, ast.Starred)]
            starred = stars[0] if stars else None
            after = 0 if starred is None else count - 1 - starred
            items = self.path.unpack(value, count, starred, after)
            for part, item in zip(target.elts, items):
                self.assign(part.value if isinstance(part, ast.Starred) else part, item)
        else:
            self.path.perform("store", *self.place(target), value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            name = node.target.id
            self.store(name, self.apply_in_place(node, self.load(name)))
        else:
            place = self.place(node.target)
            result = self.apply_in_place(node, self.path.perform(*place))
            self.path.perform("store", *place, result)

    def visit_Delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.load(target.id)
                self.scope.names.pop(target.id, None)
            else:
                self.path.perform("delete", *self.place(target))

    def visit_If(self, node: ast.If) -> None:
        self.execute(node.body if self.holds(node.test) else node.orelse)

    def visit_While(self, node: ast.While) -> None:
        while self.holds(node.test):
            self.path.count_step()
            if not self.goes_on(node.body):
                return
        self.execute(node.orelse)

    def visit_For(self, node: ast.For) -> None:
        for item in self.path.items(self.path.perform("iterate", self.value(node.iter))):
            self.assign(node.target, item)
            if not self.goes_on(node.body):
                return
        self.execute(node.orelse)

    def goes_on(self, body: list[ast.stmt]) -> bool:
        """Execute a loop's body once; tell whether the loop goes on."""
        try:
            self.execute(body)
        except _BodyEnd as end:
            return end.goes_on
        return True

    def visit_Break(self, node: ast.Break) -> None:
        raise _BodyEnd(goes_on=False)

    def visit_Continue(self, node: ast.Continue) -> None:
        raise _BodyEnd(goes_on=True)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            module = self.path.perform("import", alias.name, "0", ())
            top, *submodules = alias.name.split(".")
            if alias.asname is None:
                self.store(top, module)
                continue
            for name in submodules:
                module = self.terms.intern("from", module, name)
            self.store(alias.asname, module)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        names = tuple(repr(alias.name) for alias in node.names)
        module = self.path.perform("import", node.module or "", str(node.level), names)
        for alias in node.names:
            self.store(alias.asname or alias.name, self.terms.intern("from", module, alias.name))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        decorators = [self.value(decorator) for decorator in node.decorator_list]
        function = self.function(node.args, node.body)
        for decorator in reversed(decorators):
            function = self.path.call(decorator, [function])
        self.store(node.name, function)


def execute_source(
    function: ast.Lambda | ast.FunctionDef, free: Iterable[str], terms: Terms, seed: int
) -> Execution:
    """Execute *function* on the path of *seed*. Raises Unknown for what is not modelled.

    *free* are the names that a closure brings.
    """
    path = Path(terms, seed)
    body: list[ast.stmt]
    body = [ast.Return(function.body)] if isinstance(function, ast.Lambda) else function.body
    scope = make_scope(function.args, body, frozenset(free), terms)
    outcome = _Function(path, scope).run(body)
    return Execution(outcome, tuple(path.trace))
