"""What a model file lacks, given by a Python file of the user's: an old script, a helper module.

The file is read, never run here. Of a script only the statements that define what is lacking,
and what those need, go to the model's environment: it must not train once more.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from capsule.errors import InputError
from capsule.manifest import Binding, CarriedFunction, Node

SIZE_LIMIT = 8 << 20


@dataclass(frozen=True)
class Given:
    """A Python file that gives names: its name as a module, its text, what each part defines."""

    module: str
    text: str
    statements: tuple[tuple[frozenset[str], frozenset[str], str], ...]

    @property
    def names(self) -> frozenset[str]:
        """The names that it defines, and the module's own."""
        return frozenset({self.module}.union(*(defined for defined, _, _ in self.statements)))

    def part(self, wanted: Iterable[str]) -> str:
        """Return the text of the statements that define *wanted* and what those need, in order."""
        wanted = set(wanted)
        if self.module in wanted:
            return self.text
        chosen: set[int] = set()
        grown = True
        while grown:
            grown = False
            for place, (defined, used, _) in enumerate(self.statements):
                if place not in chosen and (defined & wanted or "*" in defined):
                    chosen.add(place)
                    wanted |= used
                    grown = True
        return "\n".join(self.statements[place][2] for place in sorted(chosen)) + "\n"


def given_by(path: Path) -> Given:
    """Return what the Python file at *path* gives. Raises InputError where it can't be read."""
    try:
        if path.stat().st_size > SIZE_LIMIT:
            raise InputError(f"{path} is larger than {SIZE_LIMIT >> 20} MiB: give the part needed")
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from None
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(
            f"{path} is no Python 3 ({' '.join(str(error).split())[:80]}): give a file with just"
            " what the model needs"
        ) from None
    name = path.stem
    if not name.isidentifier() or name in getattr(sys, "stdlib_module_names", ()):
        raise InputError(f"{path} has no name for a module of its own: call it otherwise")
    parts = (
        (frozenset(_defined(one)), frozenset(_used(one)), _text(text, one))
        for one in tree.body
        if not _is_main(one)
    )
    return Given(name, text, tuple(parts))


def _text(text: str, statement: ast.stmt) -> str:
    first = min([statement.lineno, *(d.lineno for d in getattr(statement, "decorator_list", ()))])
    return "\n".join(text.splitlines()[first - 1 : statement.end_lineno])


def _is_main(statement: ast.stmt) -> bool:
    """Tell whether it is what runs only as a script."""
    test = statement.test if isinstance(statement, ast.If) else None
    return any(isinstance(n, ast.Name) and n.id == "__name__" for n in ast.walk(test or ast.Pass()))


def _defined(statement: ast.stmt) -> Iterator[str]:
    """Give the names that a statement of a module defines; ``*`` for what nobody can know."""
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


def giving(
    given: Iterable[Given], lacking: Iterable[str], nodes: dict[str, Node]
) -> dict[str, tuple[str, str | None]]:
    """Add the modules of *given* to *nodes*; return ``{name: (module, attribute)}`` of *lacking*.

    The attribute is None where the name is the module's own.
    """
    found: dict[str, tuple[str, str | None]] = {}
    files = list(given)
    for name in lacking:
        for one in files:
            if name in one.names:
                found.setdefault(name, (one.module, None if name == one.module else name))
    modules = {one.module: one for one in files}
    wanted = {m: {a or m for o, a in found.values() if o == m} for m, _ in found.values()}
    waiting = list(wanted)
    for module in waiting:  # grows while it is walked: one file may import another
        text = modules[module].part(wanted.get(module, {module}))
        others = [other for other in modules if other != module and other in _imported(text)]
        waiting += [other for other in others if other not in waiting]
        nodes[module] = Node(
            kind="module",
            origin="local",
            source=text,
            names=tuple(Binding(other, "import", to=other) for other in others),
        )
    return found


def _imported(text: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def class_of(name: str, place: tuple[str, str | None], nodes: dict[str, Node]) -> CarriedFunction:
    """Return a class, or what else Keras asks for by *name*, as found in a given file."""
    module, attribute = place
    own = f"{module}:{attribute}"
    named = Binding(attribute or module, "global", to=module, attribute=attribute)
    nodes[own] = Node(
        kind="function",
        module=module,
        qualname=attribute or module,
        origin="reference",
        names=(named,),
    )
    return CarriedFunction((), "class", name, "by-name", None, None, False, False, None, own)
