"""The user's own modules, brought along: run in memory, and seen by no one else.

They never enter ``sys.modules``, so that two models may bring different modules of one
name, and none of them shadows what is installed. Functions find them because an import
statement asks the ``__import__`` among the builtins of its own globals.
"""

import builtins
import contextlib
import hashlib
import importlib
import importlib.machinery
import linecache
import sys
import threading
import types
from typing import Any, Dict, Iterator, Optional, Sequence, Set

from .values import decode


class PrivateModules(object):
    """Runs the local modules of one plan, each once and when first asked for."""

    def __init__(self, nodes: Dict[str, Any]) -> None:
        self._nodes = {
            name: node
            for name, node in nodes.items()
            if node["kind"] == "module" and node.get("source") is not None
        }
        self._packages: Set[str] = set()
        for name in self._nodes:
            parts = name.split(".")
            self._packages.update(".".join(parts[:n]) for n in range(1, len(parts)))
        self.loaded: Dict[str, types.ModuleType] = {}
        self._lock = threading.RLock()
        self.builtins: Any = builtins
        if self._nodes:
            self.builtins = dict(vars(builtins), __import__=self._import)

    def get(self, name: str) -> Any:
        """Return the module *name*: one brought along, else as everyone imports it."""
        if not self._has(name):
            return importlib.import_module(name)
        with self._lock:
            return self._load(name)

    def get_source(self, name: str) -> Optional[str]:
        """Return the source of a module brought along, as loaders do; None if it has none."""
        node = self._nodes.get(name)
        return None if node is None else node["source"]

    def brings(self, name: str) -> bool:
        """Tell whether the module *name*, or one in it, was brought along."""
        return self._has(name) or self._has(name.split(".")[0])

    def _has(self, name: str) -> bool:
        return name in self._nodes or name in self._packages

    def _load(self, name: str) -> types.ModuleType:
        if name in self.loaded:
            return self.loaded[name]
        parent, _, last = name.rpartition(".")
        around = self._load(parent) if parent else None
        if name in self.loaded:
            return self.loaded[name]  # its package imports it
        module = types.ModuleType(name)
        node = self._nodes.get(name) or {"source": "", "package": True}
        package = name in self._packages or bool(node.get("package"))
        loader: Any = self
        spec = importlib.machinery.ModuleSpec(name, loader, is_package=package)
        vars(module).update(
            __builtins__=self.builtins,
            __package__=name if package else parent,
            __loader__=self,
            __spec__=spec,
        )
        if package:
            vars(module)["__path__"] = []
        text = node["source"]
        filename = source_name(name, text)
        linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
        self.loaded[name] = module
        try:
            with standing_in(name, module):
                exec(compile(text, filename, "exec", 0, True), vars(module))
        except BaseException:
            del self.loaded[name]
            raise
        for binding in node.get("names", ()):
            if binding["how"] == "attribute":  # what it was set to since it was imported
                vars(module)[binding["name"]] = decode(binding["value"])
        if around is not None:
            setattr(around, last, module)
        return module

    def _import(
        self,
        name: str,
        scope: Optional[Dict[str, Any]] = None,
        _locals: Any = None,
        fromlist: Optional[Sequence[str]] = (),
        level: int = 0,
    ) -> Any:
        """Stand in for ``__import__`` in what was brought along."""
        if level:
            package = str((scope or {}).get("__package__") or "")
            parts = package.split(".")
            if level > len(parts) or not package:
                raise ImportError("a relative import beyond its package")
            base = ".".join(parts[: len(parts) - level + 1])
            name = base + "." + name if name else base
        if not self.brings(name):
            return builtins.__import__(name, None, None, fromlist or ())
        importer = self._nodes.get(str((scope or {}).get("__name__")))
        if importer is not None and not named_by(importer, name):
            raise ImportError("%s was brought along by another function" % name)
        with self._lock:
            module = self._load(name) if self._has(name) else self.get(name)
            for taken in fromlist or ():
                inner = name + "." + taken
                if not hasattr(module, taken) and self._has(inner):
                    self._load(inner)
            return module if fromlist else self.get(name.split(".")[0])


def named_by(node: Dict[str, Any], name: str) -> bool:
    """Tell whether a definition says itself that it imports the module *name*, or from it."""
    told = [b["to"] for b in node["names"] if b.get("to") is not None]
    return any(to == name or to.startswith(name + ".") or name.startswith(to + ".") for to in told)


def source_name(name: str, source: str) -> str:
    """Return the file name for a definition's source: AutoGraph reads it again by that name.

    Two models may define different things under one name.
    """
    digest = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()
    return "<capsule %s %s>" % (name, digest[:12])


@contextlib.contextmanager
def standing_in(
    name: str, module: Optional[types.ModuleType] = None, vars_of: Optional[Dict[str, Any]] = None
) -> Iterator[None]:
    """Let *name* be found in ``sys.modules`` while its definitions run, if nothing else is.

    Dataclasses look there for the names in annotations.
    """
    if name in sys.modules:
        yield
        return
    if module is None:
        module = types.ModuleType(name)
        vars(module).update(vars_of or {})
    sys.modules[name] = module
    try:
        yield
    finally:
        sys.modules.pop(name, None)
