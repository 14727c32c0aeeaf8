"""The symbolic execution of the expressions of source."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Union

from capsule.bytecode.decompile import CLASSIC_DIVISION
from capsule.bytecode.equivalence.paths import Ended, Outcome, Path
from capsule.bytecode.equivalence.scopes import Scope, make_scope
from capsule.bytecode.equivalence.terms import Keyword, Term, Unknown

# Each operator as source has it: "a + a" without its operands.
_A = ast.Name("a")
_BINARY = {
    kind: ast.unparse(ast.BinOp(_A, kind(), _A))[2:-2] for kind in ast.operator.__subclasses__()
}
_COMPARISONS = {
    kind: ast.unparse(ast.Compare(_A, [kind()], [_A]))[2:-2] for kind in ast.cmpop.__subclasses__()
}
_UNARY: dict[type[ast.unaryop], str] = {ast.USub: "-", ast.UAdd: "+", ast.Invert: "~"}
_Comprehension = Union[ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp]
_CONVERSIONS = {-1: 0, ord("s"): 1, ord("r"): 2, ord("a"): 3}


class Expressions(ABC):
    """Executes the expressions of one function; each visit_X returns the term of an X.

    ``yields`` are the values that it has yielded; ``targets`` hold, for each comprehension
    around the expression, the outermost first, the variables of its loops.
    """

    def __init__(self, path: Path, scope: Scope) -> None:
        self.path, self.scope, self.terms = path, scope, path.terms
        self.yields: list[Term] = []
        self.targets: list[dict[str, Term]] = []

    @abstractmethod
    def run(self, body: list[ast.stmt]) -> Outcome:
        """Execute the body of the function to its end; return how it ends."""

    def load(self, name: str) -> Term:
        """Return the value of a name."""
        for targets in reversed(self.targets):
            if name in targets:
                return targets[name]
        scope = self.scope
        if name in scope.names:
            return scope.names[name]
        if name in scope.bindings.local:
            raise Ended(Outcome("unbound", (name,)))
        if name in scope.free and name not in scope.bindings.module:
            return self.terms.intern("free", name)
        return scope.declared.get(name, self.terms.intern("global", name))

    def store(self, name: str, value: Term) -> None:
        """Give a name its value."""
        if name in self.scope.bindings.module:
            self.scope.declared[name] = self.path.perform("declared", name, value)
            return
        if name in self.scope.bindings.outer:
            self.path.perform("nonlocal", name, value)
        if self.targets and name in self.targets[-1]:
            self.targets[-1][name] = value
        else:
            self.scope.names[name] = value

    def place(self, node: ast.expr) -> tuple[Any, ...]:
        """Return what an attribute or item is taken of, for a store, a load or a deletion."""
        if isinstance(node, ast.Attribute):
            return ("attribute", self.value(node.value), node.attr)
        if isinstance(node, ast.Subscript):
            return ("item", self.value(node.value), self.value(node.slice))
        raise Unknown(f"{type(node).__name__} is no place")

    def visitor(self, node: ast.AST) -> Callable[[Any], Any]:
        """Count a step; return the method that executes such a node."""
        self.path.count_step()
        visitor: Callable[[Any], Any] | None = getattr(self, f"visit_{type(node).__name__}", None)
        if visitor is None:
            raise Unknown(f"{type(node).__name__} is not modelled")
        return visitor

    def value(self, node: ast.expr) -> Term:
        """Return the term of an expression."""
        term: Term = self.visitor(node)(node)
        return term

    def values(self, nodes: list[ast.expr]) -> list[Term]:
        """Return the terms of several expressions, those marked with a star spread."""
        terms: list[Term] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                terms += self.terms.spread(self.value(node.value))
            else:
                terms.append(self.value(node))
        return terms

    def holds(self, node: ast.expr) -> bool:
        """Tell whether a test holds. As compiled code does, it asks each part of it once."""
        if isinstance(node, ast.BoolOp):
            decisive = isinstance(node.op, ast.Or)
            return any(self.holds(part) is decisive for part in node.values) is decisive
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return not self.holds(node.operand)
        return self.path.holds(self.value(node))

    def visit_Constant(self, node: ast.Constant) -> Term:
        return self.terms.constant(node.value)

    def visit_Name(self, node: ast.Name) -> Term:
        return self.load(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> Term:
        return self.path.attribute(self.value(node.value), node.attr)

    def visit_Subscript(self, node: ast.Subscript) -> Term:
        return self.path.perform(*self.place(node))

    def visit_Slice(self, node: ast.Slice) -> Term:
        none = self.terms.constant(None)
        bounds = (node.lower, node.upper, node.step)
        parts = [none if bound is None else self.value(bound) for bound in bounds]
        return self.terms.intern("slice", *parts)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Term:
        if isinstance(node.op, ast.Not):
            return self.terms.constant(not self.holds(node.operand))
        return self.path.unary(_UNARY[type(node.op)], self.value(node.operand))

    def visit_BinOp(self, node: ast.BinOp) -> Term:
        left = self.value(node.left)
        return self.path.perform("binary", _BINARY[type(node.op)], left, self.value(node.right))

    def apply_in_place(self, node: ast.AugAssign, left: Term) -> Term:
        """Return what ``left += value`` and its like store."""
        operator = _BINARY[type(node.op)] + "="
        return self.path.perform("binary", operator, left, self.value(node.value))

    def visit_BoolOp(self, node: ast.BoolOp) -> Term:
        decisive = isinstance(node.op, ast.Or)
        for part in node.values[:-1]:
            value = self.value(part)
            if self.path.holds(value) is decisive:
                return value
        return self.value(node.values[-1])

    def visit_Compare(self, node: ast.Compare) -> Term:
        left = self.value(node.left)
        result = left
        for place, (operator, operand) in enumerate(zip(node.ops, node.comparators)):
            if place and not self.path.holds(result):
                return result
            right = self.value(operand)
            result = self.path.compare(_COMPARISONS[type(operator)], left, right)
            left = right
        return result

    def visit_IfExp(self, node: ast.IfExp) -> Term:
        return self.value(node.body if self.holds(node.test) else node.orelse)

    def visit_Call(self, node: ast.Call) -> Term:
        if isinstance(node.func, ast.Name) and node.func.id == CLASSIC_DIVISION:
            left, right = self.values(node.args)
            return self.path.perform("binary", "/", left, right)
        function = self.value(node.func)
        positional = self.values(node.args)
        keywords: list[Keyword] = []
        for keyword in node.keywords:
            value = self.value(keyword.value)
            if keyword.arg is None:
                keywords += self.terms.pairs(value)
            else:
                keywords.append((self.terms.constant(keyword.arg), value))
        return self.path.call(function, positional, keywords)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> Term:
        value = self.value(node.value)
        self.store(node.target.id, value)
        return value

    def visit_Yield(self, node: ast.Yield) -> Term:
        value = self.terms.constant(None) if node.value is None else self.value(node.value)
        self.yields.append(value)
        return self.terms.intern("sent", len(self.yields))

    def visit_Tuple(self, node: ast.Tuple) -> Term:
        return self.terms.intern("tuple", *self.values(node.elts))

    def visit_List(self, node: ast.List) -> Term:
        return self.terms.intern("list", *self.values(node.elts))

    def visit_Set(self, node: ast.Set) -> Term:
        return self.terms.set_of(self.values(node.elts))

    def visit_Dict(self, node: ast.Dict) -> Term:
        pairs: list[Keyword] = []
        for key, value in zip(node.keys, node.values):
            if key is None:
                pairs += self.terms.pairs(self.value(value))
            else:
                pairs.append((self.value(key), self.value(value)))
        return self.terms.intern("dict", *pairs)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> Term:
        return self.terms.text([self.value(part) for part in node.values])

    def visit_FormattedValue(self, node: ast.FormattedValue) -> Term:
        value = self.value(node.value)
        none = self.terms.constant(None)
        spec = none if node.format_spec is None else self.value(node.format_spec)
        return self.path.perform("format", value, _CONVERSIONS[node.conversion], spec)

    def visit_Lambda(self, node: ast.Lambda) -> Term:
        return self.function(node.args, [ast.Return(node.body)])

    def function(self, arguments: ast.arguments, body: list[ast.stmt]) -> Term:
        """Return the term of a function inside: all that it does to arguments of its own."""
        defaults = tuple(self.values(arguments.defaults))
        keyword_defaults = sorted(
            (self.terms.constant(argument.arg), self.value(value))
            for argument, value in zip(arguments.kwonlyargs, arguments.kw_defaults)
            if value is not None
        )
        free = self.scope.free.union(self.scope.bindings.local, *self.targets)
        scope = make_scope(arguments, body, free, self.terms)
        path = self.path.nested()
        outcome = type(self)(path, scope).run(body)
        head = (scope.bindings.signature, defaults, tuple(keyword_defaults))
        return self.terms.intern("function", *head, outcome, tuple(path.trace))

    def visit_ListComp(self, node: ast.ListComp) -> Term:
        return self.terms.intern("list", *self._elements(node))

    def visit_SetComp(self, node: ast.SetComp) -> Term:
        return self.terms.set_of(self._elements(node))

    def visit_DictComp(self, node: ast.DictComp) -> Term:
        return self.terms.intern("dict", *self._elements(node))

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> Term:
        # What it yields is computed when somebody asks: the order is the items' own.
        return self.terms.intern("generator", tuple(self._elements(node)))

    def _elements(self, node: _Comprehension) -> list[Any]:
        iterable = self.path.perform("iterate", self.value(node.generators[0].iter))
        self.targets.append({})
        try:
            return [self._element(node) for _ in self._iterations(node.generators, iterable)]
        finally:
            self.targets.pop()

    def _element(self, node: _Comprehension) -> Any:
        if isinstance(node, ast.DictComp):
            return (self.value(node.key), self.value(node.value))
        return self.value(node.elt)

    def _iterations(
        self, generators: Sequence[ast.comprehension], iterable: Term
    ) -> Iterator[None]:
        """Yield each time that an element is due, its targets bound."""
        generator, *inner = generators
        for item in self.path.items(iterable):
            self._bind(generator.target, item)
            if not all(self.holds(test) for test in generator.ifs):
                continue
            if inner:
                yield from self._iterations(
                    inner, self.path.perform("iterate", self.value(inner[0].iter))
                )
            else:
                yield

    def _bind(self, target: ast.expr, value: Term) -> None:
        if isinstance(target, ast.Name):
            self.targets[-1][target.id] = value
        elif isinstance(target, (ast.Tuple, ast.List)):
            if any(isinstance(part, ast.Starred) for part in target.elts):
                raise Unknown("a starred target of a comprehension")
            items = self.path.unpack(value, len(target.elts))
            for part, item in zip(target.elts, items):
                self._bind(part, item)
        else:
            raise Unknown("a comprehension that fills a place")
