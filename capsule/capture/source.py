"""The exact source text of one function, checked by compiling it again."""

from __future__ import annotations
import __future__

import ast
import linecache
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Union

from capsule.guest.compiling import RestoreError, compile_shell, same_code


def futures_of(code: CodeType) -> tuple[str, ...]:
    """Return the names of the ``__future__`` features that *code* was compiled with."""
    features = ((name, getattr(__future__, name)) for name in __future__.all_feature_names)
    return tuple(
        name
        for name, feature in features
        # Those that every Python 3 has are no choice, and share their flags with others.
        if (feature.getMandatoryRelease() or (9,)) > (3, 0)
        and code.co_flags & feature.compiler_flag
    )


Definition = Union[ast.Lambda, ast.FunctionDef]


@dataclass(frozen=True)
class Source:
    """Source text that makes exactly the function's code, or None and the reason."""

    text: str | None
    line: int | None = None
    reason: str | None = None


class SourceFinder:
    """Finds the text of functions; each file is read and parsed once."""

    def __init__(self) -> None:
        self._files: dict[str, _File | None] = {}

    def find(self, function: FunctionType) -> Source:
        """Return the text of *function*: the lambda or def alone, not its whole line."""
        code = function.__code__
        parsed = self._parse(code.co_filename, function)
        if parsed is None:
            return Source(None, None, f"no source text exists for {code.co_filename}")
        for node in parsed.definitions.get(code.co_firstlineno, []):
            text = _segment(parsed.lines, node)
            if text is not None and compiles_to(text, code, parsed.imported):
                return Source(text, node.lineno)
        told = f"line {code.co_firstlineno} of the source is not what runs (changed since?)"
        return Source(None, None, told)

    def _parse(self, filename: str, function: FunctionType) -> _File | None:
        if filename not in self._files:
            lines = linecache.getlines(filename, function.__globals__)
            self._files[filename] = _index(lines) if lines else None
        return self._files[filename]


@dataclass(frozen=True)
class _File:
    """A parsed file: lines, definitions by the line their code starts at, imported names."""

    lines: list[str]
    definitions: dict[int, list[Definition]]
    imported: frozenset[str]


def _index(lines: list[str]) -> _File | None:
    try:
        tree = ast.parse("".join(lines))
    except (SyntaxError, ValueError):
        return None  # notebook magics, or a file replaced by something else
    found: dict[int, list[Definition]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda):
            found.setdefault(node.lineno, []).append(node)
        elif isinstance(node, ast.FunctionDef):
            # A decorated function's code starts at its first decorator.
            for line in {node.lineno, *(d.lineno for d in node.decorator_list)}:
                found.setdefault(line, []).append(node)
    return _File(lines, found, frozenset(_imported(tree.body)))


def _imported(statements: Sequence[ast.stmt]) -> Iterator[str]:
    """Give the names that imports bind in a module's own scope."""
    for statement in statements:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            for alias in statement.names:
                if alias.name != "*":
                    yield alias.asname or alias.name.split(".")[0]
        elif not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            inner = [node for node in ast.iter_child_nodes(statement) if isinstance(node, ast.stmt)]
            handlers = getattr(statement, "handlers", [])
            yield from _imported([*inner, *(node for h in handlers for node in h.body)])


def _segment(lines: list[str], node: Definition) -> str | None:
    if node.end_lineno is None or node.end_col_offset is None:
        return None
    chosen = [line.encode("utf-8") for line in lines[node.lineno - 1 : node.end_lineno]]
    chosen[-1] = chosen[-1][: node.end_col_offset]
    if isinstance(node, ast.Lambda):
        # Columns count bytes. A def keeps its indentation: its text may span strings.
        chosen[0] = chosen[0][node.col_offset :]
    return b"".join(chosen).decode("utf-8")


def compiles_to(text: str, code: CodeType, imported: Iterable[str] = ()) -> bool:
    """Tell whether *text* compiles, under this Python, to just what *code* runs.

    *imported* are the names that its module imported.
    """
    used = [name for name in code.co_names if name in set(imported)]
    try:
        shell = compile_shell(
            text, "<check>", code.co_freevars, futures_of(code), {"__name__": ""}, used
        )
    except (RestoreError, RecursionError):
        return False
    return same_code(shell.function.__code__, code)
