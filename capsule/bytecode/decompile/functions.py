"""A whole function: its arguments, its body, its text, and the last look at all of it."""

from __future__ import annotations

import ast
import keyword
import unicodedata
import warnings
from dataclasses import dataclass

from capsule.bytecode.code import Code, Instruction
from capsule.bytecode.decompile.conditional_expressions import as_expression
from capsule.bytecode.decompile.stores import Settled
from capsule.bytecode.decompile.structure import Structure
from capsule.bytecode.decompile.values import Appended, Augmented, Made, Stopped, is_none

INSTRUCTION_LIMIT = 20_000
NODE_LIMIT = 20_000

_VARIADIC, _KEYWORDS, _COROUTINE, _ASYNC_GENERATOR = 0x04, 0x08, 0x80, 0x200
# How comprehensions (3.12+) and generators clean up: no handler that anybody wrote.
_CLEANING = (
    {"SWAP", "POP_TOP", "STORE_FAST", "STORE_FAST_STORE_FAST", "STORE_FAST_LOAD_FAST", "RERAISE"},
    {"CALL_INTRINSIC_1", "RERAISE"},
)


@dataclass(frozen=True)
class Decompilation:
    """The source of a function, or why there is none, and where lifting stopped.

    ``duplicates``: it says twice what the instructions do once, and must be compared with them.
    """

    source: str | None
    reason: str | None = None
    instruction: Instruction | None = None
    duplicates: bool = False


def decompile_code(code: Code) -> Decompilation:
    """Return the source of *code*: a lambda, or a def with its body."""
    try:
        if code.name == "<lambda>":
            tree: ast.AST = ast.Lambda(arguments_of(code, [], {}), expression_of(code))
        else:
            tree = statement_of(Made(code))
        tree = Settled().visit(tree)
        duplicates = _look_over(tree)
        text = ast.unparse(ast.fix_missing_locations(tree))
        if parse_function(text) is None:
            raise Stopped("its source would be no function")
    except Stopped as stopped:
        return Decompilation(None, str(stopped), stopped.instruction)
    except (RecursionError, MemoryError):
        return Decompilation(None, "nested deeper than can be followed")
    except (SyntaxError, ValueError) as error:
        return Decompilation(None, f"its source would be no Python ({error})")
    return Decompilation(text, duplicates=duplicates)


def parse_function(text: str) -> ast.Lambda | ast.FunctionDef | None:
    """Return the one function that *text* is, read and not compiled; None if it is none.

    Raises SyntaxError or ValueError where it is no Python.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # to print one, Python would open a file
        # Of an error Python looks for the line in the file: there is none of no name.
        body = ast.parse(text, filename="").body
    found = body[0] if len(body) == 1 else None
    if isinstance(found, ast.Expr):
        return found.value if isinstance(found.value, ast.Lambda) else None
    return found if isinstance(found, ast.FunctionDef) else None


def expression_of(code: Code) -> ast.expr:
    """Return the one expression that *code* returns."""
    found = as_expression(_body(code))
    if found is None:
        raise Stopped("a lambda of more than one expression")
    return found


def statement_of(made: Made) -> ast.FunctionDef:
    """Return the def statement of a function."""
    code = made.code
    body = _body(code)
    if body and isinstance(body[-1], ast.Return) and is_none(body[-1].value) and len(body) > 1:
        body = body[:-1]
    elif body and isinstance(body[-1], ast.Return) and is_none(body[-1].value):
        body = [ast.Pass()] if code.docstring is None else []
    text = code.docstring
    first: list[ast.stmt] = [] if text is None else [ast.Expr(ast.Constant(text))]
    made_of = ast.FunctionDef(
        name=code.name,
        args=arguments_of(code, made.defaults, made.keyword_defaults),
        body=[*first, *_declared(code), *body],
        decorator_list=made.decorators,
        returns=None,
        type_comment=None,
        lineno=0,
    )
    made_of.__dict__["type_params"] = []  # asked for from 3.12 on
    return made_of


def _body(code: Code) -> list[ast.stmt]:
    if code.flags & (_COROUTINE | _ASYNC_GENERATOR):
        raise Stopped("a coroutine")
    if len(code.instructions) > INSTRUCTION_LIMIT:
        raise Stopped(f"more than {INSTRUCTION_LIMIT} instructions")
    _no_handlers(code)
    return Structure(code).statements()


def _no_handlers(code: Code) -> None:
    """Refuse code with exception handlers that somebody wrote."""
    stream = code.instructions
    places = {instruction.offset: index for index, instruction in enumerate(stream)}
    for start, _, handler in code.guarded:
        index = places.get(handler)
        names: set[str] = set()
        while index is not None and index < len(stream):
            names.add(stream[index].name)
            if stream[index].name == "RERAISE":
                break
            index += 1
        if not any(names <= cleaning for cleaning in _CLEANING):
            at = stream[places[start]] if start in places else None
            raise Stopped("a try or with block", at)


def _declared(code: Code) -> list[ast.stmt]:
    """Return the global and nonlocal statements that the stores of *code* need."""
    found: dict[str, list[str]] = {"STORE_GLOBAL": [], "STORE_DEREF": []}
    for instruction in code.instructions:
        word = "STORE_GLOBAL" if instruction.name == "DELETE_GLOBAL" else instruction.name
        names = found.get(word)
        own = instruction.name == "STORE_DEREF" and instruction.value not in code.free
        if names is not None and not own and instruction.value not in names:
            names.append(instruction.value)
    declared: list[ast.stmt] = []
    if found["STORE_GLOBAL"]:
        declared.append(ast.Global(found["STORE_GLOBAL"]))
    if found["STORE_DEREF"]:
        declared.append(ast.Nonlocal(found["STORE_DEREF"]))
    return declared


def arguments_of(
    code: Code, defaults: list[ast.expr], keyword_defaults: dict[str, ast.expr]
) -> ast.arguments:
    """Return the arguments of *code* with the defaults it was made with."""
    names = [ast.arg(name) for name in code.variables]
    positional, rest = names[: code.argument_count], names[code.argument_count :]
    keyword_only, rest = rest[: code.keyword_only_count], rest[code.keyword_only_count :]
    if len(defaults) > len(positional):
        raise Stopped("more defaults than arguments")
    star = rest.pop(0) if code.flags & _VARIADIC and rest else None
    double = rest.pop(0) if code.flags & _KEYWORDS and rest else None
    return ast.arguments(
        posonlyargs=positional[: code.positional_only_count],
        args=positional[code.positional_only_count :],
        vararg=star,
        kwonlyargs=keyword_only,
        kw_defaults=[keyword_defaults.get(argument.arg) for argument in keyword_only],
        kwarg=double,
        defaults=defaults,
    )


def _look_over(tree: ast.AST) -> bool:
    """Refuse a tree whose text can't be what was written; tell whether a part stands twice.

    Compilers copy what two ways end in, and what is written once may be computed twice.
    """
    twice = False
    seen: set[int] = set()
    places: set[int] = set()  # where a slice may stand: a walk comes to the outer node first
    for count, node in enumerate(ast.walk(tree)):
        if count > NODE_LIMIT:
            raise Stopped(f"a source of more than {NODE_LIMIT} parts")
        if isinstance(node, (Appended, Augmented)):
            raise Stopped("a comprehension of a form that is not known")
        if isinstance(node, ast.Slice) and id(node) not in places:
            raise Stopped("a slice that stands by itself")
        if isinstance(node, ast.Subscript):
            inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            places.update(map(id, inside))
        for name in _names(node):
            if not _nameable(name):
                raise Stopped(f"a name that is none: {name[:40]!r}")
        if isinstance(node, ast.expr) and not isinstance(node, (ast.Name, ast.Constant)):
            twice = twice or id(node) in seen
            seen.add(id(node))
    return twice


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Name):
        return [] if node.id in ("True", "False", "None") else [node.id]
    if isinstance(node, ast.Attribute):
        return [node.attr]
    if isinstance(node, (ast.arg, ast.keyword)):
        return [node.arg] if node.arg is not None else []
    if isinstance(node, ast.alias):
        return [*node.name.split("."), *([node.asname] if node.asname else [])]
    if isinstance(node, ast.FunctionDef):
        return [node.name]
    if isinstance(node, ast.ImportFrom):
        return node.module.split(".") if node.module else []
    if isinstance(node, (ast.Global, ast.Nonlocal)):
        return node.names
    return []


def _nameable(name: str) -> bool:
    """Tell whether *name* can be written as it is: text from a file can hold anything."""
    return (
        name.isidentifier()
        and not keyword.iskeyword(name)
        and unicodedata.normalize("NFKC", name) == name
    )
