"""Expressions of source followed over terms, and which names are whose."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from capsule.bytecode.decompile import CLASSIC_DIVISION
from capsule.bytecode.equivalence import symbolic_values as making
from capsule.bytecode.equivalence.terms import Ended, Term, Unknown, World, pairs, spread

_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.BitAnd: "&",
    ast.FloorDiv: "//",
    ast.LShift: "<<",
    ast.MatMult: "@",
    ast.Mult: "*",
    ast.Mod: "%",
    ast.BitOr: "|",
    ast.Pow: "**",
    ast.RShift: ">>",
    ast.Sub: "-",
    ast.Div: "/",
    ast.BitXor: "^",
}
_COMPARED: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
    ast.Is: "is",
    ast.IsNot: "is not",
}
_CONVERSIONS = {-1: 0, ord("s"): 1, ord("r"): 2, ord("a"): 3}


@dataclass
class Scope:
    """One function's names: its own, those of a closure, those it gives to the module."""

    own: Own
    free: frozenset[str]
    names: dict[str, Term] = field(default_factory=dict)
    declared: dict[str, Term] = field(default_factory=dict)

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names of the arguments, in the order in which code lists them."""
        return self.own.arguments

    def inside(self) -> frozenset[str]:
        """Return what a function inside takes from a closure if it doesn't have it itself."""
        return self.free | self.own.stored


@dataclass(frozen=True)
class Own:
    """What a function stores to: arguments, local names, and those declared otherwise."""

    arguments: tuple[str, ...]
    stored: frozenset[str]
    outer: frozenset[str]
    module: frozenset[str]


def stored_in(arguments: ast.arguments, body: list[ast.stmt]) -> Own:
    """Return the names that a function stores to; those of functions inside are not its own."""
    listed = [
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        *filter(None, (arguments.vararg, arguments.kwarg)),
    ]
    stored = {one.arg for one in listed}
    outer: set[str] = set()
    module: set[str] = set()
    for node in _own_nodes(body):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            stored.add(node.id)
        elif isinstance(node, ast.FunctionDef):
            stored.add(node.name)
        elif isinstance(node, ast.alias):
            stored.add(node.asname or node.name.split(".")[0])
        elif isinstance(node, ast.Nonlocal):
            outer.update(node.names)
        elif isinstance(node, ast.Global):
            module.update(node.names)
    own = frozenset(stored - outer - module)
    return Own(tuple(one.arg for one in listed), own, frozenset(outer), frozenset(module))


def _own_nodes(body: list[Any]) -> Iterator[ast.AST]:
    waiting: list[Any] = list(body)
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.FunctionDef):
            waiting += [*node.decorator_list, *node.args.defaults]
        elif isinstance(node, ast.Lambda):
            waiting += node.args.defaults
        elif isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            # Its targets are its own; := inside of it is the function's.
            for inner in ast.walk(node):
                if isinstance(inner, ast.NamedExpr):
                    yield inner.target
        else:
            waiting += ast.iter_child_nodes(node)


class Expressions:
    """Follows expressions in one scope."""

    def __init__(self, world: World, scope: Scope) -> None:
        self.world, self.scope, self.terms = world, scope, world.terms
        self.yields: list[Term] = []
        self.comprehended: list[dict[str, Term]] = []  # the targets of comprehensions around

    def followed(self, body: list[ast.stmt], scope: Scope, world: World) -> tuple[Any, ...]:
        """Return how the body of a function inside ends."""
        raise NotImplementedError

    # Names

    def load(self, name: str) -> Term:
        """Return the value of a name."""
        for targets in reversed(self.comprehended):
            if name in targets:
                return targets[name]
        scope = self.scope
        if name in scope.names:
            return scope.names[name]
        if name in scope.own.stored:
            raise Ended(("unbound", name))
        if name in scope.free and name not in scope.own.module:
            return self.terms.of("free", name)
        return scope.declared.get(name, self.terms.of("global", name))

    def store(self, name: str, value: Term) -> None:
        """Give a name its value."""
        if name in self.scope.own.module:
            self.scope.declared[name] = self.world.do("declared", name, value)
            return
        if name in self.scope.own.outer:
            self.world.do("nonlocal", name, value)
        if self.comprehended and name in self.comprehended[-1]:
            self.comprehended[-1][name] = value
        else:
            self.scope.names[name] = value

    def place(self, node: ast.expr) -> tuple[Any, ...]:
        """Return what an attribute or item is taken of, for a store, a load or a deletion."""
        if isinstance(node, ast.Attribute):
            return ("attribute", self.value(node.value), node.attr)
        if isinstance(node, ast.Subscript):
            of = self.value(node.value)
            return ("item", of, self.value(node.slice))
        raise Unknown(f"{type(node).__name__} is no place")

    # Values

    def holds(self, node: ast.expr) -> bool:
        """Tell whether a test holds, each part of it asked once."""
        if isinstance(node, ast.BoolOp):
            wanted = isinstance(node.op, ast.Or)
            return wanted if any(self.holds(v) is wanted for v in node.values) else not wanted
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return not self.holds(node.operand)
        return self.world.holds(self.value(node))

    def value(self, node: ast.expr) -> Term:
        """Return the term of an expression."""
        self.world.step()
        follow: Callable[[Any], Term] | None = getattr(self, f"of_{type(node).__name__}", None)
        if follow is None:
            raise Unknown(f"{type(node).__name__} is not followed")
        return follow(node)

    def values(self, nodes: list[ast.expr]) -> list[Term]:
        """Return the terms of items, those marked with a star spread."""
        found: list[Term] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                found += spread(self.terms, self.value(node.value))
            else:
                found.append(self.value(node))
        return found

    def of_Constant(self, node: ast.Constant) -> Term:
        return self.terms.constant(node.value)

    def of_Name(self, node: ast.Name) -> Term:
        return self.load(node.id)

    def of_Attribute(self, node: ast.Attribute) -> Term:
        of = self.value(node.value)
        if self.terms.read(of)[0] in ("import", "from"):
            return self.terms.of("from", of, node.attr)
        return self.world.do("attribute", of, node.attr)

    def of_Subscript(self, node: ast.Subscript) -> Term:
        of = self.value(node.value)
        return self.world.do("item", of, self.value(node.slice))

    def of_Slice(self, node: ast.Slice) -> Term:
        nothing = self.terms.constant(None)
        parts = [
            nothing if part is None else self.value(part)
            for part in (node.lower, node.upper, node.step)
        ]
        return self.terms.of("slice", *parts)

    def of_UnaryOp(self, node: ast.UnaryOp) -> Term:
        if isinstance(node.op, ast.Not):
            return self.terms.constant(not self.holds(node.operand))
        operator = {ast.USub: "-", ast.UAdd: "+", ast.Invert: "~"}[type(node.op)]
        return making.unary(self.world, operator, self.value(node.operand))

    def operator(self, node: ast.operator) -> str:
        """Return an operator as text."""
        return _BINARY[type(node)]

    def of_BinOp(self, node: ast.BinOp) -> Term:
        left = self.value(node.left)
        return self.world.do("binary", self.operator(node.op), left, self.value(node.right))

    def of_BoolOp(self, node: ast.BoolOp) -> Term:
        wanted = isinstance(node.op, ast.Or)
        for one in node.values[:-1]:
            value = self.value(one)
            if self.world.holds(value) is wanted:
                return value
        return self.value(node.values[-1])

    def of_Compare(self, node: ast.Compare) -> Term:
        left = self.value(node.left)
        made = left
        for place, (operator, other) in enumerate(zip(node.ops, node.comparators)):
            if place and not self.world.holds(made):
                return made
            right = self.value(other)
            made = making.compare(self.world, _COMPARED[type(operator)], left, right)
            left = right
        return made

    def of_IfExp(self, node: ast.IfExp) -> Term:
        return self.value(node.body if self.holds(node.test) else node.orelse)

    def of_Call(self, node: ast.Call) -> Term:
        if isinstance(node.func, ast.Name) and node.func.id == CLASSIC_DIVISION:
            left, right = self.values(node.args)
            return self.world.do("binary", "/", left, right)
        function = self.value(node.func)
        positional = self.values(node.args)
        named: list[tuple[Any, Term]] = []
        for keyword in node.keywords:
            value = self.value(keyword.value)
            if keyword.arg is None:
                named += pairs(self.terms, value)
            else:
                named.append((self.terms.constant(keyword.arg), value))
        return self.called(function, positional, named)

    def called(self, function: Term, positional: list[Term], named: list[Any]) -> Term:
        """Return what a call gives."""
        return making.call(self.world, function, positional, named)

    def of_Tuple(self, node: ast.Tuple) -> Term:
        return self.terms.of("tuple", *self.values(node.elts))

    def of_List(self, node: ast.List) -> Term:
        return self.terms.of("list", *self.values(node.elts))

    def of_Set(self, node: ast.Set) -> Term:
        return making.Display("set", self.values(node.elts)).term(self.terms)

    def of_Dict(self, node: ast.Dict) -> Term:
        found: list[tuple[Any, Term]] = []
        for key, value in zip(node.keys, node.values):
            if key is None:
                found += pairs(self.terms, self.value(value))
            else:
                named = self.value(key)
                found.append((named, self.value(value)))
        return self.terms.of("dict", *found)

    def of_JoinedStr(self, node: ast.JoinedStr) -> Term:
        return making.text_of(self.terms, [self.value(one) for one in node.values])

    def of_FormattedValue(self, node: ast.FormattedValue) -> Term:
        value = self.value(node.value)
        nothing = self.terms.constant(None)
        spec = nothing if node.format_spec is None else self.value(node.format_spec)
        return self.world.do("format", value, _CONVERSIONS[node.conversion], spec)

    def of_NamedExpr(self, node: ast.NamedExpr) -> Term:
        value = self.value(node.value)
        self.store(node.target.id, value)
        return value

    def of_Yield(self, node: ast.Yield) -> Term:
        value = self.terms.constant(None) if node.value is None else self.value(node.value)
        self.yields.append(value)
        return self.terms.of("sent", len(self.yields))

    # Functions and comprehensions

    def of_Lambda(self, node: ast.Lambda) -> Term:
        return self.function(node.args, [ast.Return(node.body)])

    def function(self, arguments: ast.arguments, body: list[ast.stmt]) -> Term:
        """Return the term of a function inside: all that it does over names of its own."""
        defaults = tuple(self.values(arguments.defaults))
        named = tuple(
            sorted(
                (self.terms.constant(one.arg), self.value(value))
                for one, value in zip(arguments.kwonlyargs, arguments.kw_defaults)
                if value is not None
            )
        )
        own = self.terms.once(arguments, lambda: stored_in(arguments, body))
        targets = {name for one in self.comprehended for name in one}
        scope = Scope(own, self.scope.inside() | targets)
        for name in own.arguments:
            scope.names[name] = self.terms.of("argument", name)
        world = self.world.inner()
        outcome = self.followed(body, scope, world)
        return self.terms.of("function", own.arguments, defaults, named, outcome, tuple(world.log))

    def of_ListComp(self, node: ast.ListComp) -> Term:
        return self.terms.of("list", *self._comprehended(node, node.elt))

    def of_SetComp(self, node: ast.SetComp) -> Term:
        return making.Display("set", self._comprehended(node, node.elt)).term(self.terms)

    def of_DictComp(self, node: ast.DictComp) -> Term:
        return self.terms.of("dict", *self._comprehended(node, node.value, node.key))

    def of_GeneratorExp(self, node: ast.GeneratorExp) -> Term:
        return self.terms.of("generator", tuple(self._comprehended(node, node.elt)))

    def _comprehended(self, node: Any, item: ast.expr, key: ast.expr | None = None) -> list[Any]:
        first = self.world.do("iterate", self.value(node.generators[0].iter))
        targets = {
            one.id: -1
            for generator in node.generators
            for one in ast.walk(generator.target)
            if isinstance(one, ast.Name)
        }
        found: list[Any] = []
        self.comprehended.append({})
        try:
            self._loop(node.generators, 0, first, set(targets), item, key, found)
        finally:
            self.comprehended.pop()
        return found

    def _loop(
        self,
        generators: list[ast.comprehension],
        place: int,
        over: Term,
        targets: set[str],
        item: ast.expr,
        key: ast.expr | None,
        found: list[Any],
    ) -> None:
        loop = making.Loop(over)
        generator = generators[place]
        while (one := loop.following(self.world)) is not None:
            self._bind(generator.target, one)
            if not all(self.holds(test) for test in generator.ifs):
                continue
            if place + 1 < len(generators):
                inner = self.world.do("iterate", self.value(generators[place + 1].iter))
                self._loop(generators, place + 1, inner, targets, item, key, found)
            elif key is None:
                found.append(self.value(item))
            else:
                made = self.value(key)
                found.append((made, self.value(item)))

    def _bind(self, target: ast.expr, value: Term) -> None:
        if isinstance(target, ast.Name):
            self.comprehended[-1][target.id] = value
        elif isinstance(target, (ast.Tuple, ast.List)):
            if any(isinstance(one, ast.Starred) for one in target.elts):
                raise Unknown("a starred target of a comprehension")
            parts = making.unpacked(self.world, value, len(target.elts), None, 0)
            for one, part in zip(target.elts, parts):
                self._bind(one, part)
        else:
            raise Unknown("a comprehension that fills a place")
