"""Which names of a function are its own, of a closure around it, or of the module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from capsule.bytecode.equivalence.paths import Signature
from capsule.bytecode.equivalence.terms import Term, Terms


@dataclass(frozen=True)
class Bindings:
    """The names that a function stores to: its own, those declared nonlocal, and global."""

    signature: Signature
    local: frozenset[str]
    outer: frozenset[str]
    module: frozenset[str]


@dataclass
class Scope:
    """The names of a function in execution; ``free`` are those that a closure would bring."""

    bindings: Bindings
    free: frozenset[str]
    names: dict[str, Term]
    declared: dict[str, Term] = field(default_factory=dict)


def make_scope(
    arguments: ast.arguments, body: list[ast.stmt], free: frozenset[str], terms: Terms
) -> Scope:
    """Return the scope in which a function begins: its arguments alone have values."""
    bindings = terms.compute_once(arguments, lambda: _find_bindings(arguments, body))
    return Scope(bindings, free, bindings.signature.arguments(terms))


def read_signature(arguments: ast.arguments) -> Signature:
    """Return what a function with those arguments takes."""
    positional = [*arguments.posonlyargs, *arguments.args]
    variadic = (arguments.vararg, arguments.kwarg)
    listed = [*positional, *arguments.kwonlyargs, *filter(None, variadic)]
    counts = (len(positional), len(arguments.posonlyargs), len(arguments.kwonlyargs))
    names = tuple(argument.arg for argument in listed)
    return Signature(names, *counts, (variadic[0] is not None, variadic[1] is not None))


def _find_bindings(arguments: ast.arguments, body: list[ast.stmt]) -> Bindings:
    """Return the names that a function stores to; those of functions inside are not its own."""
    signature = read_signature(arguments)
    stored, outer, module = set(signature.names), set[str](), set[str]()
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
    local = frozenset(stored - outer - module)
    return Bindings(signature, local, frozenset(outer), frozenset(module))


def _own_nodes(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """Yield the nodes of a function that belong to no function or comprehension inside."""
    remaining: list[ast.AST] = [*body]
    while remaining:
        node = remaining.pop()
        yield node
        if isinstance(node, ast.FunctionDef):
            remaining += [*node.decorator_list, *node.args.defaults]
        elif isinstance(node, ast.Lambda):
            remaining += node.args.defaults
        elif isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            # Its targets are its own; := inside of it is the function's.
            for inner in ast.walk(node):
                if isinstance(inner, ast.NamedExpr):
                    yield inner.target
        else:
            remaining += ast.iter_child_nodes(node)
