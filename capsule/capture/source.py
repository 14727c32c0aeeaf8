"""The exact source text of a function or class, checked by compiling it again."""

from __future__ import annotations
import __future__

import ast
import functools
import linecache
import sys
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any, NamedTuple, Union

from capsule.capture.class_source_check import (
    classes_in,
    difference,
    free_variables,
    methods_of,
    placed,
    registering,
)
from capsule.guest.compiling import (
    DefinitionSource,
    RestoreError,
    compile_definition,
    same_code,
)


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


Definition = Union[ast.Lambda, ast.FunctionDef, ast.ClassDef]


@dataclass(frozen=True)
class Source:
    """Source text that makes exactly what is live, or None and the reason.

    ``code`` is, for a class or a decorated function, what defines it when run; ``bases``
    are the bases whose names mean something only where the class stood, ``dropped`` the
    decorators that only register it.
    """

    text: str | None
    line: int | None = None
    reason: str | None = None
    code: CodeType | None = None
    bases: tuple[int, ...] = ()
    dropped: tuple[int, ...] = ()


class SourceFinder:
    """Finds the text of definitions; each file is read and parsed once."""

    def __init__(self) -> None:
        self._files: dict[str, _File | None] = {}

    def find(self, function: FunctionType) -> Source:
        """Return the text of *function*: the lambda or def alone, not its whole line."""
        code = function.__code__
        parsed = self._parse(code.co_filename, function.__globals__)
        missing = Source(None, None, f"no source text exists for {code.co_filename}")
        if parsed is None:
            return missing
        for node in parsed.tree.definitions.get(code.co_firstlineno, []):
            text = _segment(parsed.lines, node)
            if text is not None and parsed.makes(text, node, function):
                return Source(text, node.lineno)
        # From 3.13 on `python -c` has a text, under the name that every eval shares with it.
        return missing if code.co_filename == "<string>" else Source(None, None, _changed(code))

    def find_decorated(self, function: FunctionType) -> Source:
        """Return the text of a def with its decorators, where *function* is what they got."""
        code = function.__code__
        parsed = self._parse(code.co_filename, function.__globals__)
        for node in parsed.tree.definitions.get(code.co_firstlineno, []) if parsed else []:
            if not isinstance(node, ast.FunctionDef) or not node.decorator_list or parsed is None:
                continue
            plain, text = _segment(parsed.lines, node), _segment(parsed.lines, node, whole=True)
            if plain is None or text is None or not parsed.makes(plain, node, function):
                continue
            definition = _definition(text, code.co_freevars, code, parsed.tree.imported)
            defining = _defining(definition._replace(keep_decorators=True))
            if defining is not None:
                return Source(text, node.lineno, code=defining)
        return Source(None, None, "it has no decorators in the source that made it what it is")

    def find_class(self, kind: type, is_users: Callable[[Any], bool]) -> Source:
        """Return the text of the class *kind*, which must be what the source says.

        *is_users* tells the user's own methods from those that a library added.
        """
        methods = [method for _, method in methods_of(kind) if is_users(method)]
        module = sys.modules.get(kind.__module__)
        filename = _file_of(methods) or getattr(module, "__file__", None)
        scope = methods[0].__globals__ if methods else vars(module) if module else {}
        parsed = self._parse(filename, scope) if filename else None
        if parsed is None or filename is None:
            return Source(None, None, f"no source text exists for the class {kind.__name__}")
        lines = [m.__code__.co_firstlineno for m in methods if m.__code__.co_filename == filename]
        source = Source(None, None, f"{kind.__name__} is not what its source says (changed since?)")
        for node, around in reversed(parsed.classes):
            if node.name != kind.__name__:
                continue
            if lines and not any(node.lineno <= line <= (node.end_lineno or 0) for line in lines):
                continue  # another class of that name
            source = _class_source(kind, node, around, methods, parsed, scope) or source
            if source.text is not None:
                break
        return source

    def _parse(self, filename: str, scope: dict[str, Any]) -> _File | None:
        if filename not in self._files:
            lines = linecache.getlines(filename, scope)
            tree = _parsed("".join(lines)) if lines else None
            if tree is not None:
                rewritten = tuple(rewritten_by_pytest(lines, filename, scope))
                self._files[filename] = _File(filename, lines, tree, rewritten)
            else:
                self._files[filename] = None
        return self._files[filename]


def _file_of(methods: Sequence[FunctionType]) -> str | None:
    """Return the file of a class' methods, a real one first; what dataclass makes has none."""
    files = [method.__code__.co_filename for method in methods]
    real = [file for file in files if not file.startswith("<")]
    return next((file for file in [*real, *files] if file != "<string>"), None)


def _class_source(
    kind: type,
    node: ast.ClassDef,
    around: frozenset[str],
    methods: Sequence[FunctionType],
    parsed: _File,
    scope: dict[str, Any],
) -> Source | None:
    """Return the text of *node* if it makes *kind*, else why not; None if it does not compile."""
    text = _segment(parsed.lines, node, whole=True)
    if not text:
        return None
    free = free_variables(methods)
    bases, dropped = placed(node, kind, scope), registering(node, scope)
    sample = methods[0].__code__ if methods else None
    definition = _definition(text, free, sample, parsed.tree.imported)
    code = _defining(definition._replace(bases=bases, registrations=dropped))
    if code is None:
        return None
    wrong = difference(kind, node, code, parsed.filename, scope, around - set(free))
    if wrong is not None:
        return Source(None, None, f"{kind.__name__}{wrong}")
    return Source(text, node.lineno, None, code, bases, dropped)


def _changed(code: CodeType) -> str:
    return f"line {code.co_firstlineno} of the source is not what runs (changed since?)"


class _Tree(NamedTuple):
    """A file's syntax: definitions by the line their code starts at, names that it imports."""

    module: ast.Module
    definitions: dict[int, list[Definition]]
    imported: frozenset[str]


@functools.lru_cache(maxsize=8)
def _parsed(text: str) -> _Tree | None:
    """Return the syntax of a file; models are often saved again while it is the same."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return None  # notebook magics, or a file replaced by something else
    definitions: defaultdict[int, list[Definition]] = defaultdict(list)
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda):
            definitions[node.lineno].append(node)
        elif isinstance(node, ast.FunctionDef):
            # A decorated function's code starts at its first decorator.
            for line in {node.lineno, *(d.lineno for d in node.decorator_list)}:
                definitions[line].append(node)
    return _Tree(tree, dict(definitions), frozenset(_imported(tree.body)))


@dataclass(frozen=True)
class _File:
    """A parsed file; ``rewritten`` is the code of a module that pytest compiled its own way."""

    filename: str
    lines: list[str]
    tree: _Tree
    rewritten: tuple[CodeType, ...] = ()

    @functools.cached_property
    def classes(self) -> list[tuple[ast.ClassDef, frozenset[str]]]:
        """The classes of the file, each with the names of the functions around it."""
        return list(classes_in(self.tree.module))

    def makes(self, text: str, node: Definition, function: FunctionType) -> bool:
        """Tell whether *text*, of *node*, compiles under this Python to what *function* runs."""
        code = function.__code__
        if compiles_to(text, code, self.tree.imported):
            return True
        if not any(isinstance(inner, ast.Assert) for inner in ast.walk(node)):
            return False  # what pytest left alone is as it was
        return any(
            other.co_firstlineno == code.co_firstlineno and same_code(other, code)
            for other in self.rewritten
        )


def rewritten_by_pytest(
    lines: list[str], filename: str, scope: dict[str, Any]
) -> Iterator[CodeType]:
    """Give the code of a test module as pytest compiles it, its asserts explained.

    What a plain assert does is the same, so the plain text stands for it.
    """
    rewrite = sys.modules.get("_pytest.assertion.rewrite")
    hook = getattr(rewrite, "AssertionRewritingHook", None)
    if rewrite is None or hook is None or not isinstance(scope.get("__loader__"), hook):
        return
    text = "".join(lines)
    tree = ast.parse(text)
    rewrite.rewrite_asserts(tree, text.encode("utf-8"), filename, scope["__loader__"].config)
    waiting = deque([compile(tree, filename, "exec", dont_inherit=True)])
    while waiting:
        code = waiting.popleft()
        yield code
        waiting.extend(constant for constant in code.co_consts if isinstance(constant, CodeType))


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


def _segment(lines: list[str], node: Definition, *, whole: bool = False) -> str | None:
    """Return a definition's text; *whole* takes its decorators along."""
    if node.end_lineno is None or node.end_col_offset is None:
        return None
    decorators = getattr(node, "decorator_list", []) if whole else []
    first = min([node.lineno, *(d.lineno for d in decorators)])
    chosen = [line.encode("utf-8") for line in lines[first - 1 : node.end_lineno]]
    chosen[-1] = chosen[-1][: node.end_col_offset]
    if isinstance(node, ast.Lambda):
        # Columns count bytes. A def keeps its indentation: its text may span strings.
        chosen[0] = chosen[0][node.col_offset :]
    return b"".join(chosen).decode("utf-8")


def compiles_to(text: str, code: CodeType, imported: Iterable[str] = ()) -> bool:
    """Tell whether *text* compiles, under this Python, to just what *code* runs.

    *imported* are the names that its module imported.
    """
    defining = _defining(_definition(text, code.co_freevars, code, imported))
    return defining is not None and any(same_code(inner, code) for inner in defining.co_consts)


def _definition(
    text: str, free: Iterable[str], sample: CodeType | None, imported: Iterable[str]
) -> DefinitionSource:
    """Return *text* to compile with the ``__future__`` features of *sample*."""
    futures = futures_of(sample) if sample is not None else ()
    return DefinitionSource(text, "<check>", free, futures, imported)


def _defining(definition: DefinitionSource) -> CodeType | None:
    """Return the code that makes what a definition defines, None if it compiles to nothing such."""
    try:
        code, _ = compile_definition(definition)
    except (RestoreError, RecursionError):
        return None
    return code
