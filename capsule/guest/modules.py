"""The user's own modules out of a plan: run in memory, and visible to its functions alone.

They do not stay in ``sys.modules``, so that two models may bring different modules of one
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
    """Runs the local modules of one plan, each once, at its first import."""

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
        self._modules: Dict[str, types.ModuleType] = {}
        self._lock = threading.RLock()
        self.builtins: Any = builtins
        if self._nodes:
            self.builtins = dict(vars(builtins), __import__=self._import)

    def get(self, name: str) -> Any:
        """Import a module, from the plan if that has it.

        Parameters
        ----------
        name
            The full name of the module.

        Returns
        -------
        module
            The plan's module, else the one that any import gives.

        Raises
        ------
        ImportError
            There is none of that name.
        """
        if not self._has(name):
            return importlib.import_module(name)
        with self._lock:
            return self._load(name)

    def get_source(self, name: str) -> Optional[str]:
        """Return the source of a module of the plan, as loaders do; None if it has none."""
        node = self._nodes.get(name)
        return None if node is None else node["source"]

    def brings(self, name: str) -> bool:
        """Tell whether the plan has the module *name*, or its top-level package."""
        return self._has(name) or self._has(name.split(".")[0])

    def _has(self, name: str) -> bool:
        return name in self._nodes or name in self._packages

    def _load(self, name: str) -> types.ModuleType:
        if name in self._modules:
            return self._modules[name]
        parent, _, last = name.rpartition(".")
        parent_module = self._load(parent) if parent else None
        if name in self._modules:
            return self._modules[name]  # its package has imported it
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
        self._modules[name] = module
        try:
            with expose_module(name, module):
                exec(compile(text, filename, "exec", 0, True), vars(module))
        except BaseException:
            del self._modules[name]
            raise
        for binding in node.get("names", ()):
            if binding["how"] == "attribute":  # set anew after the import
                vars(module)[binding["name"]] = decode(binding["value"])
        if parent_module is not None:
            setattr(parent_module, last, module)
        return module

    def _import(
        self,
        name: str,
        scope: Optional[Dict[str, Any]] = None,
        _locals: Any = None,
        fromlist: Optional[Sequence[str]] = (),
        level: int = 0,
    ) -> Any:
        """Stand in for ``__import__`` in the code of the plan."""
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
        if importer is not None and not imports_module(importer, name):
            raise ImportError("%s was brought along by another function" % name)
        with self._lock:
            module = self._load(name) if self._has(name) else self.get(name)
            for attribute in fromlist or ():
                inner = name + "." + attribute
                if not hasattr(module, attribute) and self._has(inner):
                    self._load(inner)
            return module if fromlist else self.get(name.split(".")[0])


def imports_module(node: Dict[str, Any], name: str) -> bool:
    """Tell whether a definition lists the module *name*, or something in it, as its own need."""
    targets = [b["to"] for b in node["names"] if b.get("to") is not None]
    return any(
        target == name or target.startswith(name + ".") or name.startswith(target + ".")
        for target in targets
    )


def source_name(name: str, source: str) -> str:
    """Return the file name under which AutoGraph finds the source of a definition.

    It has a digest, since two models may define different things under one name.
    """
    digest = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()
    return "<capsule %s %s>" % (name, digest[:12])


@contextlib.contextmanager
def expose_module(name: str, module: types.ModuleType) -> Iterator[None]:
    """Put *module* into ``sys.modules`` meanwhile, unless another of that name is there.

    Dataclasses look there for the names in annotations while their definitions run.
    """
    if name in sys.modules:
        yield
        return
    sys.modules[name] = module
    try:
        yield
    finally:
        sys.modules.pop(name, None)
