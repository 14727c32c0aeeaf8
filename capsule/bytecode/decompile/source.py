"""A whole function: its body, its text, and the last look at all of it."""

from __future__ import annotations

import ast
import keyword
import unicodedata
import warnings
from dataclasses import dataclass

from capsule.bytecode.code import Code, Instruction
from capsule.bytecode.decompile.functions import make_definition, make_lambda
from capsule.bytecode.decompile.structure import Structure
from capsule.bytecode.decompile.values import (
    AppendStatement,
    DecompileError,
    Function,
    InPlaceResult,
    TargetResolver,
)

INSTRUCTION_LIMIT = 20_000
NODE_LIMIT = 20_000

_COROUTINE, _ASYNC_GENERATOR = 0x80, 0x200
# How comprehensions (3.12+) and generators clean up: no handler that anybody wrote.
_CLEANING = (
    {"SWAP", "POP_TOP", "STORE_FAST", "STORE_FAST_STORE_FAST", "STORE_FAST_LOAD_FAST", "RERAISE"},
    {"CALL_INTRINSIC_1", "RERAISE"},
)


@dataclass(frozen=True)
class Decompilation:
    """The source of a function, or why there is none."""

    source: str | None
    """A lambda expression or a def statement; None where it can't be told faithfully."""
    reason: str | None = None
    """Why there is no source."""
    instruction: Instruction | None = None
    """Where decompiling stopped, if it was at an instruction."""
    duplicates: bool = False
    """The source says twice what the instructions do once: it must be compared with them."""


def decompile_code(code: Code) -> Decompilation:
    """Decompile *code*: a lambda, or a def with its body. Nothing of it is run.

    Parameters
    ----------
    code
        The code of a function of any Python, as ``decode_code`` or ``adapt`` returns it.

    Returns
    -------
    Decompilation
        The source, or the reason why there is none. Names and nested functions are the
        code's own; defaults, closures and decorators are not part of code.
    """
    try:
        make = make_lambda if code.is_lambda else make_definition
        tree = TargetResolver().visit(make(Function(code), _statements_of(code)))
        duplicates = _check(tree)
        text = ast.unparse(ast.fix_missing_locations(tree))
        if parse_function(text) is None:
            raise DecompileError("its source would be no function")
    except DecompileError as error:
        return Decompilation(None, str(error), error.instruction)
    except (RecursionError, MemoryError):
        return Decompilation(None, "nested deeper than can be followed")
    except (SyntaxError, ValueError) as error:
        return Decompilation(None, f"its source would be no Python ({error})")
    return Decompilation(text, duplicates=duplicates)


def parse_function(text: str) -> ast.Lambda | ast.FunctionDef | None:
    """Parse the one function that *text* is; it is not compiled.

    Parameters
    ----------
    text
        Source of this Python.

    Returns
    -------
    ast.Lambda, ast.FunctionDef or None
        None if *text* is anything else than one lambda or one def.

    Raises
    ------
    SyntaxError, ValueError
        *text* is no Python.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # to print one, Python would open a file
        # Of an error Python looks for the line in the file: there is none of no name.
        body = ast.parse(text, filename="").body
    statement = body[0] if len(body) == 1 else None
    if isinstance(statement, ast.Expr):
        return statement.value if isinstance(statement.value, ast.Lambda) else None
    return statement if isinstance(statement, ast.FunctionDef) else None


def _statements_of(code: Code) -> list[ast.stmt]:
    if code.flags & (_COROUTINE | _ASYNC_GENERATOR):
        raise DecompileError("a coroutine")
    if len(code.instructions) > INSTRUCTION_LIMIT:
        raise DecompileError(f"more than {INSTRUCTION_LIMIT} instructions")
    _refuse_handlers(code)
    return Structure(code, _statements_of).statements()


def _refuse_handlers(code: Code) -> None:
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
            raise DecompileError("a try or with block", at)


def _check(tree: ast.AST) -> bool:
    """Refuse a tree whose text can't be what was written; tell whether a part stands twice.

    Compilers copy what two ways end in, and what is written once may be computed twice.
    """
    duplicates = False
    seen: set[int] = set()
    slices: set[int] = set()  # where they may stand: a walk comes to the outer node first
    for count, node in enumerate(ast.walk(tree)):
        if count > NODE_LIMIT:
            raise DecompileError(f"a source of more than {NODE_LIMIT} parts")
        if isinstance(node, (AppendStatement, InPlaceResult)):
            raise DecompileError("a comprehension of a form that is not known")
        if isinstance(node, ast.Slice) and id(node) not in slices:
            raise DecompileError("a slice that stands by itself")
        if isinstance(node, ast.Subscript):
            inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            slices.update(map(id, inside))
        for name in _names_in(node):
            if not _can_be_written(name):
                raise DecompileError(f"a name that is none: {name[:40]!r}")
        if isinstance(node, ast.expr) and not isinstance(node, (ast.Name, ast.Constant)):
            duplicates = duplicates or id(node) in seen
            seen.add(id(node))
    return duplicates


def _names_in(node: ast.AST) -> list[str]:
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
    return node.names if isinstance(node, (ast.Global, ast.Nonlocal)) else []


def _can_be_written(name: str) -> bool:
    """Tell whether *name* can be written as it is: text from a file can hold anything."""
    return (
        name.isidentifier()
        and not keyword.iskeyword(name)
        and unicodedata.normalize("NFKC", name) == name
    )
