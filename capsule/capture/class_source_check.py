"""Whether a live class is what its source says: what was changed since is never guessed."""

from __future__ import annotations

import ast
import builtins
from collections import deque
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType
from typing import Any, Union

from capsule.bytecode import adapt, names_used
from capsule.guest.compiling import same_code

_WRAPPED = ("__func__", "__wrapped__", "python_function", "func")
Defined = Union[ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda]


def methods_of(kind: type) -> list[tuple[str, FunctionType]]:
    """Return the functions of a class' own body by attribute, also those inside wrappers."""
    methods = []
    for name, value in vars(kind).items():
        parts = (value.fget, value.fset, value.fdel) if isinstance(value, property) else (value,)
        for part in parts:
            while not isinstance(part, FunctionType) and part is not None:
                inner = (getattr(part, attribute, None) for attribute in _WRAPPED)
                part = next(filter(callable, inner), None)
            wrapped = part
            while isinstance(wrapped, FunctionType):
                methods.append((name, wrapped))
                wrapped = getattr(wrapped, "__wrapped__", None)
    return methods


def free_variables(methods: Iterable[FunctionType]) -> dict[str, Any]:
    """Return the variables around a class that its methods close over, with their cells."""
    cells: dict[str, Any] = {}
    for method in methods:
        for name, cell in zip(method.__code__.co_freevars, method.__closure__ or ()):
            if name != "__class__":
                cells.setdefault(name, cell)
    return cells


def classes_in(tree: ast.Module) -> Iterator[tuple[ast.ClassDef, frozenset[str]]]:
    """Give each class of a file, with the names local to the functions around it."""
    waiting: deque[tuple[ast.AST, frozenset[str]]] = deque([(tree, frozenset())])
    while waiting:
        node, around = waiting.popleft()
        if isinstance(node, ast.ClassDef):
            yield node, around
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            around = around | set(_locals(node))
        waiting.extend((child, around) for child in ast.iter_child_nodes(node))


def _locals(node: Defined) -> Iterator[str]:
    every = node.args
    plain = (*every.posonlyargs, *every.args, *every.kwonlyargs)
    yield from (arg.arg for arg in (*plain, every.vararg, every.kwarg) if arg is not None)
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            yield inner.id
        elif inner is not node and isinstance(inner, (ast.FunctionDef, ast.ClassDef)):
            yield inner.name


def placed(node: ast.ClassDef, kind: type, scope: dict[str, Any]) -> tuple[int, ...]:
    """Return the numbers of the bases that must be given: their expressions say others now."""
    return tuple(
        number
        for number, base in enumerate(node.bases)
        if number < len(kind.__bases__) and not _stands(base, kind, number, scope, node.name)
    )


def _stands(expression: ast.expr, kind: type, number: int, scope: dict[str, Any], own: str) -> bool:
    """Tell whether a base's expression still means the base that the class has."""
    if isinstance(expression, (ast.Subscript, ast.Starred)):
        return True  # Generic[T]: what it was made of is not among the bases
    if isinstance(expression, ast.Name) and expression.id == own:
        return False
    now, base = resolved(expression, scope), kind.__bases__[number]
    # Keras 2 puts Functional in the place of Model when an instance is made.
    swapped = base.__name__ == "Functional" and isinstance(now, type) and issubclass(base, now)
    return now is base or swapped


def registering(node: ast.ClassDef, scope: dict[str, Any]) -> tuple[int, ...]:
    """Return the numbers of the decorators that Keras made to register a class, by any name."""
    names = [getattr(resolved(d, scope), "__qualname__", "") for d in node.decorator_list]
    return tuple(n for n, name in enumerate(names) if name.startswith("register_keras_serial"))


def resolved(expression: ast.expr, scope: dict[str, Any]) -> Any:
    """Return what a dotted name stands for among the globals *scope*; nothing is evaluated."""
    parts: list[str] = []
    while isinstance(expression, ast.Attribute):
        parts.insert(0, expression.attr)
        expression = expression.value
    if not isinstance(expression, ast.Name):
        return None
    value = scope.get(expression.id, getattr(builtins, expression.id, None))
    for part in parts:
        value = getattr(value, part, None)
    return value


def difference(
    kind: type,
    node: ast.ClassDef,
    code: CodeType,
    filename: str,
    scope: dict[str, Any],
    around: frozenset[str],
) -> str | None:
    """Return in what *kind* is not what *node* makes, in words; None if nothing is.

    *code* is the code of the class statement, *around* the local names that stood around
    it and that nobody kept.
    """
    body = next(c for c in code.co_consts if isinstance(c, CodeType) and c.co_name == node.name)
    first = names_used(adapt(body), nested=False).globals
    lost = sorted(around & (first.keys() | set(code.co_names)) - {node.name})
    if lost:
        return f" is made with {lost[0]} of the function around it, which is gone"
    stored = {i.value for i in adapt(body).instructions if i.name == "STORE_NAME"}
    fields = getattr(kind, "__dataclass_fields__", {})
    for name in sorted(stored - set(vars(kind)) - set(fields)):
        if not name.startswith("__") and not name.startswith("_ignore_"):
            return f".{name} was deleted since"
    return _methods(kind, node, body, filename, scope)


def _methods(
    kind: type, node: ast.ClassDef, body: CodeType, filename: str, scope: dict[str, Any]
) -> str | None:
    own = [constant for constant in body.co_consts if isinstance(constant, CodeType)]
    named = {i.value for i in adapt(body).instructions if i.name == "STORE_NAME"}
    aliases = _aliases(node)
    defs = [s for s in node.body if isinstance(s, (ast.FunctionDef, ast.AsyncFunctionDef))]
    plain = {definition.name for definition in defs if not definition.decorator_list}
    first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
    for name, method in methods_of(kind):
        code = method.__code__
        inside = first <= code.co_firstlineno <= (node.end_lineno or first)
        if code.co_filename != filename or not inside:
            # Made by a decorator, or named in the body: else somebody put it there later.
            by_body = name in named or name.startswith("__") or hasattr(method, "__wrapped__")
            if by_body and name not in plain:
                continue
            return f".{name} was set since"
        if not any(same_code(constant, code) for constant in own):
            return f".{name} is not what the class' source says"
        mangled = name.endswith(code.co_name) or code.co_name.startswith("<")
        if not mangled and code.co_name not in aliases.get(name, ()):
            return f".{name} is {code.co_name} since"
        if not _same_defaults(node, method, scope):
            return f".{name} has other default values than its source gives it now"
    return None


def _aliases(node: ast.ClassDef) -> dict[str, set[str]]:
    """Return what names of a class body are assigned from, by name."""
    aliases: dict[str, set[str]] = {}
    for statement in node.body:
        if isinstance(statement, ast.Assign):
            read = {n.id for n in ast.walk(statement.value) if isinstance(n, ast.Name)}
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    aliases.setdefault(target.id, set()).update(read)
    return aliases


def _same_defaults(node: ast.ClassDef, method: FunctionType, scope: dict[str, Any]) -> bool:
    """Tell whether the plain defaults of a method are what its expressions say now."""
    line = method.__code__.co_firstlineno
    for inner in ast.walk(node):
        if not isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if line not in {inner.lineno, *(d.lineno for d in inner.decorator_list)}:
            continue
        pairs = list(zip(inner.args.defaults, method.__defaults__ or ()))
        keyword = method.__kwdefaults__ or {}
        for parameter, default in zip(inner.args.kwonlyargs, inner.args.kw_defaults):
            if default is not None and parameter.arg in keyword:
                pairs.append((default, keyword[parameter.arg]))
        return all(_says(expression, value, scope) for expression, value in pairs)
    return True


def _says(expression: ast.expr, value: Any, scope: dict[str, Any]) -> bool:
    if isinstance(expression, (ast.Name, ast.Attribute)):
        now = resolved(expression, scope)
        return now is value or (type(now) is type(value) and bool(now == value))
    return True
