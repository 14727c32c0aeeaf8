"""The import graph of live functions: what each reaches, and how.

Problems are recorded as they are met, inside the graph, and never stop the walk.
"""

from __future__ import annotations

import ast
import base64
import builtins
import hashlib
import marshal
import os
import re
import sys
from collections.abc import Collection, Iterator
from dataclasses import replace
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from capsule.bytecode import Import, adapt, names_used
from capsule.capture.origins import Origins, module_place, object_place
from capsule.capture.source import SourceFinder, futures_of
from capsule.guest import values
from capsule.manifest import Binding, Code, Node

SECRET = re.compile(r"KEY|TOKEN|PASSWORD|SECRET", re.IGNORECASE)
_URL_SECRET = re.compile(r"://[^/\s]*:[^/\s]*@")
# Builtins through which code reaches names that its instructions don't show.
HIDING = ("eval", "exec", "globals", "locals", "vars", "__import__")
MAGIC = int.from_bytes(MAGIC_NUMBER[:2], "little")


class ImportGraph:
    """Collects nodes; ``root`` is the project's folder, to which file names are relative.

    ``source=False`` and ``values=False`` leave out source text and plain values; texts
    under names that look like secrets' are left out unless *allow* names them.
    """

    def __init__(
        self,
        origins: Origins,
        root: Path,
        *,
        source: bool = True,
        values: bool = True,
        allow: Collection[str] = (),
    ) -> None:
        self.nodes: dict[str, Node] = {}
        self._origins = origins
        self._root = root
        self._with_source = source
        self._with_values = values
        self._allow = frozenset(allow)
        self._sources = SourceFinder()
        self._names: dict[int, str] = {}
        self._counts: dict[str, int] = {}
        self._kept: list[Any] = []  # ids stay true only while the objects live
        self._namespaces: dict[int, str] = {}
        self._spaces: dict[str, int] = {}
        self._waiting: list[tuple[str, FunctionType]] = []

    def add(self, value: Any) -> str | None:
        """Add a callable and all that it reaches; return its node's name, None if it has none."""
        binding = self._bind("", "global", value, set())
        target = binding.to
        if target is None:
            return None
        self._drain()
        if binding.attribute is None and self.nodes[target].kind != "module":
            return target
        # A thing of a library: a node of its own, which imports it.
        name = f"{target}:{binding.attribute}"
        named = replace(binding, name=str(binding.attribute).rpartition(".")[2])
        self.nodes[name] = Node(
            kind="function",
            module=target,
            qualname=binding.attribute or "",
            origin="reference",
            names=(named,),
        )
        return name

    def _drain(self) -> None:
        # A list, not recursion: helper chains may be as long as they like.
        while self._waiting:
            name, function = self._waiting.pop()
            self.nodes[name] = self._function(function)

    def _function(self, function: FunctionType) -> Node:
        code = function.__code__
        found = self._sources.find(function) if self._with_source else None
        reason = found.reason if found else "source text was left out as asked"
        raw = marshal_code(code, self._relative(code.co_filename) or "")
        # Without source the bytecode is all there is; a text left out would be in there too.
        needed = found is not None and found.text is None
        kept = base64.b64encode(raw).decode("ascii") if needed else None
        return Node(
            kind="lambda" if code.co_name == "<lambda>" else "function",
            module=function.__module__ or "__main__",
            qualname=function.__qualname__,
            namespace=self._namespace(function),
            origin=self._origins.of(function.__module__ or "__main__").kind,
            file=self._relative(code.co_filename),
            line=found.line if found and found.line else code.co_firstlineno,
            source=found.text if found else None,
            reason=reason.replace(code.co_filename, self._relative(code.co_filename) or "")
            if reason
            else None,
            futures=futures_of(code),
            code=Code(hashlib.sha256(raw).hexdigest(), MAGIC, kept),
            names=tuple(self._bindings(function)),
        )

    def _bindings(self, function: FunctionType) -> list[Binding]:
        code = function.__code__
        uses = names_used(adapt(code))
        made: list[Binding] = []
        for name, cell in zip(code.co_freevars, function.__closure__ or ()):
            chains = uses.free.get(name, set())
            try:
                made.append(self._bind(name, "closure", cell.cell_contents, chains))
            except ValueError:  # an empty cell: bound later or never
                made.append(Binding(name, "closure", missing=True))
        for name in sorted(uses.globals):
            chains = uses.globals[name]
            if name in function.__globals__:
                made.append(self._bind(name, "global", function.__globals__[name], chains))
                made += self._submodules(function.__globals__[name], chains)
                made += self._attributes(name, function.__globals__[name], chains)
            elif name in HIDING:
                unseen = values.opaque(getattr(builtins, name), "reaches names that nobody sees")
                made.append(Binding(name, "global", value=unseen))
            elif not hasattr(builtins, name):
                made.append(Binding(name, "global", missing=True, attributes=_sorted(chains)))
        defaults = function.__defaults__ or ()
        named = code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount]
        for name, value in zip(named, defaults):
            made.append(self._bind(name, "default", value, set()))
        for name, value in sorted((function.__kwdefaults__ or {}).items()):
            made.append(self._bind(name, "keyword-default", value, set()))
        for found in uses.imports:
            made += self._imported(function, found)
        return made

    def _bind(self, name: str, how: str, value: Any, chains: set[str]) -> Binding:
        attributes = _sorted(chains)
        if isinstance(value, ModuleType):
            place = module_place(value)
            if place is not None:
                to = self.module(place[0])
                return Binding(name, how, to=to, attribute=place[1], attributes=attributes)
        elif isinstance(value, FunctionType) and self._origins.is_user_code(value.__module__):
            return Binding(name, how, to=self._declare(value), attributes=attributes)
        elif callable(value):
            found = object_place(value)
            if found is not None and not self._origins.is_user_code(found[0]):
                to = self.module(found[0])
                return Binding(name, how, to=to, attribute=found[1], attributes=attributes)
        return Binding(name, how, value=self._value(name, value), attributes=attributes)

    def _value(self, name: str, value: Any) -> Any:
        if not self._with_values:
            return values.opaque(value, "values were left out as asked")
        encoded = values.encode(value)
        texts = list(_texts(encoded))
        if any(_is_machine_path(text, self._root) for text in texts):
            return values.opaque(value, "a path of this machine")
        if any(_URL_SECRET.search(text) for text in texts):
            return values.opaque(value, "an address with a password")
        if name not in self._allow and any(map(SECRET.search, _keys(encoded))):
            return values.opaque(value, "one of its keys looks like a secret's name")
        if name not in self._allow and SECRET.search(name) and _holds_text(encoded):
            return values.opaque(value, "its name looks like a secret's")
        return encoded

    def _declare(self, function: FunctionType) -> str:
        if id(function) not in self._names:
            base = f"{function.__module__ or '__main__'}:{function.__qualname__}"
            count = self._counts[base] = self._counts.get(base, 0) + 1
            self._names[id(function)] = name = f"{base}#{count}" if count > 1 else base
            self._kept.append(function)
            self._waiting.append((name, function))
        return self._names[id(function)]

    def _namespace(self, function: FunctionType) -> str:
        """Return the name of the globals that *function* shares with others of its module."""
        key = id(function.__globals__)
        if key not in self._namespaces:
            base = function.__module__ or "__main__"
            count = self._spaces[base] = self._spaces.get(base, 0) + 1
            self._namespaces[key] = f"{base}#{count}" if count > 1 else base
            self._kept.append(function.__globals__)
        return self._namespaces[key]

    def _submodules(self, value: Any, chains: set[str]) -> list[Binding]:
        """Return an edge for each submodule used by attribute only: import x … x.y.z()."""
        made: list[Binding] = []
        for chain in sorted(chains) if isinstance(value, ModuleType) else ():
            name = getattr(value, "__name__", "")
            for part in chain.split(".")[:-1]:
                name = f"{name}.{part}"
                if name not in sys.modules or self._origins.of(name).kind == "stdlib":
                    break
                place = module_place(sys.modules[name])
                if place is not None and place[1] is None and all(b.to != place[0] for b in made):
                    made.append(Binding(name, "attribute", to=self.module(place[0])))
        return made

    def _attributes(self, name: str, value: Any, chains: set[str]) -> list[Binding]:
        """Return what is used of a function's own attributes: nothing brings those back."""
        if not isinstance(value, FunctionType) or not chains & set(vars(value)):
            return []
        lost = values.opaque(value, "an attribute set on a function")
        return [Binding(f"{name}.{chain}", "attribute", value=lost) for chain in sorted(chains)]

    def _imported(self, function: FunctionType, found: Import) -> list[Binding]:
        package = function.__globals__.get("__package__") or ""
        name = found.module
        if found.level:
            parts = package.split(".")
            kept = parts[: len(parts) - found.level + 1]
            name = ".".join([*kept, found.module] if found.module else kept)
        if not name or not all(part.isidentifier() for part in name.split(".")):
            return [Binding(name or ".", "import", missing=True)]
        if self._origins.of(name).kind == "missing":
            return [Binding(name, "import", missing=True)]
        attributes = _sorted({*found.names, *found.attributes})
        made = [Binding(name, "import", to=self.module(name), attributes=attributes)]
        for taken in found.names:
            if f"{name}.{taken}" in sys.modules:
                made.append(Binding(f"{name}.{taken}", "import", to=self.module(f"{name}.{taken}")))
        return made

    def module(self, name: str) -> str:
        """Add the module *name*, with source and what it imports where it is the user's own."""
        if name in self.nodes:
            return name
        origin = self._origins.of(name)
        module = sys.modules.get(name)
        self.nodes[name] = node = Node(
            kind="module", origin=origin.kind, distribution=origin.distribution
        )
        if origin.kind == "local" and module is not None:
            self.nodes[name] = self._local_module(name, module) or node
        return name

    def _local_module(self, name: str, module: ModuleType) -> Node | None:
        loader = getattr(getattr(module, "__spec__", None), "loader", None)
        try:
            text = loader.get_source(name)  # type: ignore[union-attr]
            tree = ast.parse(text or "")
        except (AttributeError, ImportError, OSError, SyntaxError, ValueError):
            return None
        package = hasattr(module, "__path__")
        inside = name if package else name.rpartition(".")[0]
        wanted = {name.rpartition(".")[0]} - {""}
        for statement in ast.walk(tree):
            if isinstance(statement, ast.Import):
                wanted.update(alias.name for alias in statement.names)
            elif isinstance(statement, ast.ImportFrom):
                parts = inside.split(".")
                start = parts[: len(parts) - statement.level + 1] if statement.level else []
                base = ".".join([*start, *filter(None, [statement.module])])
                wanted.add(base)
                wanted.update(f"{base}.{a.name}" for a in statement.names)
        loaded = sorted(w for w in wanted if w and w in sys.modules and w != name)
        return Node(
            kind="module", origin="local", package=package,
            file=self._relative(getattr(module, "__file__", None)),
            source=text if self._with_source else None,
            reason=_told_state(tree, module)
            if self._with_source else "source text was left out as asked",
            names=tuple(Binding(w, "import", to=self.module(w)) for w in loaded),
        )  # fmt: skip

    def _relative(self, file: str | None) -> str | None:
        """Return a file's path inside the project; of what lies outside only the name."""
        if file is None or file.startswith("<"):
            return file
        try:
            return Path(os.path.abspath(file)).relative_to(self._root).as_posix()
        except ValueError:
            return os.path.basename(file)


def _texts(encoded: Any) -> Iterator[str]:
    """Give every text inside an encoded value."""
    if isinstance(encoded, str):
        yield encoded
    elif isinstance(encoded, list):
        for item in encoded:
            yield from _texts(item)
    elif isinstance(encoded, dict):
        yield from _texts(encoded.get("items", []))


def _keys(encoded: Any) -> Iterator[str]:
    """Give the keys that are texts of every dict inside an encoded value."""
    if isinstance(encoded, list):
        for item in encoded:
            yield from _keys(item)
    elif isinstance(encoded, dict):
        if encoded.get("type") == "dict":
            yield from (pair[0] for pair in encoded["items"] if isinstance(pair[0], str))
        yield from _keys(encoded.get("items", []))


def _is_machine_path(text: str, root: Path) -> bool:
    if not os.path.isabs(text) or len(text) < 3:
        return False
    places = (str(Path.home()), str(root), os.getcwd())
    return text.startswith(places) or os.path.exists(text)


def _told_state(tree: ast.Module, module: ModuleType) -> str | None:
    """Return why a module's source alone does not make it what it is now, None if it does."""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    if "__file__" in names:
        return "it uses __file__, which it no longer has"
    written: dict[str, Any] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            try:
                written[statement.targets[0].id] = ast.literal_eval(statement.value)
            except ValueError:
                continue
    for name, value in written.items():
        now = getattr(module, name, None)
        if type(now) is not type(value) or now != value:
            return f"{name} was changed after it was imported"
    known = {"__" + n for n in ("name__", "doc__", "package__")}
    bound = names | written.keys() | {getattr(n, "name", "") for n in ast.walk(tree)}
    bound |= {a.asname or a.name for n in ast.walk(tree) for a in getattr(n, "names", ())
              if isinstance(a, ast.alias)}  # fmt: skip
    for name, value in vars(module).items():
        plain = type(value) in (bool, int, float, str, tuple, list, dict)
        if plain and not name.startswith("__") and name not in bound | known:
            return f"{name} was set from outside"
    return None


def marshal_code(code: CodeType, filename: str) -> bytes:
    """Return the bytes of *code*, its paths replaced: the same for the same code.

    Version 2 of the format, since later ones write references as objects happen to be
    shared in this process.
    """
    return marshal.dumps(_renamed(code, filename), 2)


def _renamed(code: CodeType, filename: str) -> CodeType:
    constants = (_renamed(c, filename) if isinstance(c, CodeType) else c for c in code.co_consts)
    return code.replace(co_filename=filename, co_consts=tuple(constants))


def _sorted(chains: set[str]) -> tuple[str, ...]:
    return tuple(sorted(chains))


def _holds_text(encoded: Any) -> bool:
    if isinstance(encoded, str):
        return True
    if isinstance(encoded, list):
        return any(_holds_text(item) for item in encoded)
    if isinstance(encoded, dict):
        if encoded.get("type") in ("ndarray", "scalar"):
            return str(encoded["dtype"])[1:2] in "SU"
        return encoded.get("type") == "bytes" or _holds_text(encoded.get("items", []))
    return False
