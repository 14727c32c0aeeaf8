"""What a model file lacks, defined by a Python file of the user's: an old script, a helper.

The file is read, never run here. Of a script only the statements that define what is lacking,
and what those need, go to the model's environment: it must not train once more.
"""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from capsule.errors import InputError
from capsule.manifest import Binding, EmbeddedFunction, Node
from capsule.manifest.parse import STANDARD_MODULES

SIZE_LIMIT = 8 << 20


class Statement(NamedTuple):
    """A statement of a module: the names that it defines, those that it uses, and its text."""

    defines: frozenset[str]
    uses: frozenset[str]
    text: str


class Home(NamedTuple):
    """Where a name is defined: a module, and the attribute of it; None for the module itself."""

    module: str
    attribute: str | None


@dataclass(frozen=True)
class Definitions:
    """A Python file that defines names: its name as a module, its text, its statements."""

    module: str
    text: str
    statements: tuple[Statement, ...]

    @property
    def names(self) -> frozenset[str]:
        """The names that it defines, and the module's own."""
        return frozenset({self.module}.union(*(s.defines for s in self.statements)))

    def part(self, names: Iterable[str]) -> str:
        """Return the text of the statements that define *names* and what those need, in order."""
        needed = set(names)
        if self.module in needed:
            return self.text
        chosen: set[int] = set()
        grew = True
        while grew:
            grew = False
            for place, statement in enumerate(self.statements):
                if place not in chosen and (statement.defines & needed or "*" in statement.defines):
                    chosen.add(place)
                    needed |= statement.uses
                    grew = True
        return "\n".join(self.statements[place].text for place in sorted(chosen)) + "\n"


def read_definitions(path: Path) -> Definitions:
    """Return what the Python file at *path* defines. Raises InputError where it can't be read."""
    try:
        if path.stat().st_size > SIZE_LIMIT:
            raise InputError(f"{path} is larger than {SIZE_LIMIT >> 20} MiB: give the part needed")
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from None
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(
            f"{path} is not Python 3 ({' '.join(str(error).split())[:80]}): give a file with just"
            " what the model needs"
        ) from None
    name = path.stem
    if not name.isidentifier() or name in STANDARD_MODULES:
        raise InputError(f"{path} can't be imported under the name {name}: rename the file")
    statements = (
        Statement(frozenset(_defined(s)), frozenset(_used(s)), _text(text, s))
        for s in tree.body
        if not _is_main(s)
    )
    return Definitions(name, text, tuple(statements))


def _text(text: str, statement: ast.stmt) -> str:
    first = min([statement.lineno, *(d.lineno for d in getattr(statement, "decorator_list", ()))])
    return "\n".join(text.splitlines()[first - 1 : statement.end_lineno])


def _is_main(statement: ast.stmt) -> bool:
    """Tell whether it is what runs only as a script."""
    test = statement.test if isinstance(statement, ast.If) else None
    return any(isinstance(n, ast.Name) and n.id == "__name__" for n in ast.walk(test or ast.Pass()))


def _defined(statement: ast.stmt) -> Iterator[str]:
    """Give the names that a statement of a module defines; ``*`` for all of them."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield statement.name
        return
    for node in ast.walk(statement):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            if isinstance(node, ast.ImportFrom) and node.module == "__future__":
                yield "*"
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0]
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name


def _used(statement: ast.stmt) -> Iterator[str]:
    for node in ast.walk(statement):
        if isinstance(node, ast.Name):
            yield node.id


def add_definitions(
    files: Sequence[Definitions], names: Iterable[str], nodes: dict[str, Node]
) -> dict[str, Home]:
    """Add to *nodes* the modules among *files* that define some of *names*; say where each is."""
    homes: dict[str, Home] = {}
    for name in names:
        file = next((f for f in files if name in f.names), None)
        if file is not None:
            homes[name] = Home(file.module, None if name == file.module else name)
    modules = {file.module: file for file in files}
    needed: dict[str, set[str]] = {}
    for home in homes.values():
        needed.setdefault(home.module, set()).add(home.attribute or home.module)
    waiting = deque(needed)
    while waiting:  # one file may import another
        module = waiting.popleft()
        if module in nodes:
            continue
        text = modules[module].part(needed.get(module, {module}))
        imported = [name for name in modules if name != module and name in _imported(text)]
        waiting += imported
        nodes[module] = Node(
            kind="module",
            origin="local",
            source=text,
            names=tuple(Binding(name, "import", to=name) for name in imported),
        )
    return homes


def _imported(text: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def class_from(name: str, home: Home, nodes: dict[str, Node]) -> EmbeddedFunction:
    """Return a class, or what else Keras asks for by *name*, as a file of definitions has it."""
    own = f"{home.module}:{home.attribute}"
    called = home.attribute or home.module
    nodes[own] = Node(
        kind="function",
        module=home.module,
        qualname=called,
        origin="reference",
        names=(Binding(called, "global", to=home.module, attribute=home.attribute),),
    )
    return EmbeddedFunction((), "class", name, "by-name", None, None, False, False, None, own)
