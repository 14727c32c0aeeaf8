"""A plan's definitions to live functions, their names bound again.

All functions are made first and bound after, so that helpers may call each other in
circles and chains may be as long as they like.
"""

import base64
import builtins
import hashlib
import importlib
import importlib.abc
import importlib.machinery
import linecache
import marshal
import sys
import types
from importlib.util import MAGIC_NUMBER
from typing import Any, Dict, List, Optional, Set

from .compiling import RestoreError, Shell, compile_shell
from .values import OpaqueValue, decode

__all__ = ["RestoreError", "Restorer"]


class Restorer(object):
    """Makes the functions of one plan; each definition once."""

    def __init__(self, nodes: Dict[str, Any]) -> None:
        self._nodes = nodes
        self._namespaces: Dict[str, Dict[str, Any]] = {}
        self._shells: Dict[str, Shell] = {}

    def restore(self, names: List[str]) -> Dict[str, Any]:
        """Return ``{name: function}`` for the definitions *names* of the plan.

        None of them is called, though modules they reach are imported. Raises
        RestoreError if one of those reached cannot be rebuilt here.
        """
        reached = self._reached(names)
        self._provide_modules(reached)
        for name in reached:
            if name not in self._shells:
                self._shells[name] = self._make(name)
        for name in reached:
            self._bind(name)
        return {name: self._shells[name].function for name in names}

    def _reached(self, names: List[str]) -> List[str]:
        order: List[str] = []
        seen: Set[str] = set()
        waiting = list(reversed(names))
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            node = self._nodes.get(name)
            if node is None:
                raise RestoreError("the plan has no definition of %s" % name)
            if node["kind"] != "module":
                order.append(name)
            for binding in node.get("names", ()):
                if binding.get("to") is not None:
                    waiting.append(binding["to"])
        return order

    def _namespace(self, node: Dict[str, Any]) -> Dict[str, Any]:
        key = node["namespace"]
        if key not in self._namespaces:
            name = node["module"] or "__main__"
            self._namespaces[key] = {
                "__name__": name,
                "__builtins__": builtins,
                "__package__": name.rpartition(".")[0],
            }
        return self._namespaces[key]

    def _make(self, name: str) -> Shell:
        node = self._nodes[name]
        if node["origin"] == "reference":
            return Shell(self._value(name, node["names"][0]), None)
        namespace = self._namespace(node)
        freevars = [b["name"] for b in node["names"] if b["how"] == "closure"]
        if node["source"] is not None:
            filename = "<capsule %s>" % name
            shell = compile_shell(node["source"], filename, freevars, node["futures"], namespace)
            # mtime None: linecache keeps the entry, so tracebacks and AutoGraph find it.
            lines = node["source"].splitlines(True)
            linecache.cache[filename] = (len(node["source"]), None, lines, filename)
        else:
            shell = self._from_code(name, node, namespace)
        shell.function.__module__ = node["module"]
        shell.function.__qualname__ = node["qualname"]
        return shell

    def _from_code(self, name: str, node: Dict[str, Any], namespace: Dict[str, Any]) -> Shell:
        code = node["code"]
        here = MAGIC_NUMBER[0] | MAGIC_NUMBER[1] << 8
        if code is None or code.get("base64") is None:
            raise RestoreError("%s has neither source nor code" % name)
        if code["magic"] != here:
            raise RestoreError(
                "%s has no source, and its bytecode (magic %s) is not this Python's (%d)"
                % (name, code["magic"], here)
            )
        raw = base64.b64decode(code["base64"])
        if hashlib.sha256(raw).hexdigest() != code["sha256"]:
            raise RestoreError("the code of %s is not what its digest says" % name)
        made = marshal.loads(raw)
        cells = tuple(_empty_cell() for _ in made.co_freevars)
        function = types.FunctionType(made, namespace, made.co_name, None, cells or None)

        def bind(variable: str, value: Any) -> None:
            try:
                cells[made.co_freevars.index(variable)].cell_contents = value
            except AttributeError:  # not writable before 3.7
                raise RestoreError("%s has a closure and no source: Python 3.6 cannot" % name)

        return Shell(function, bind)

    def _bind(self, name: str) -> None:
        node = self._nodes[name]
        shell = self._shells[name]
        if shell.bind is None:
            return  # a thing of a library, imported whole
        namespace = self._namespace(node)
        defaults: List[Any] = []
        keyword_defaults: Dict[str, Any] = {}
        for binding in node["names"]:
            how = binding["how"]
            if binding.get("missing"):
                continue
            value = self._value(name, binding)
            if how == "global":
                namespace[binding["name"]] = value
            elif how == "closure":
                shell.bind(binding["name"], value)
            elif how == "default":
                defaults.append(value)
            elif how == "keyword-default":
                keyword_defaults[binding["name"]] = value
        shell.function.__defaults__ = tuple(defaults) or None
        shell.function.__kwdefaults__ = keyword_defaults or None

    def _value(self, name: str, binding: Dict[str, Any]) -> Any:
        target = binding.get("to")
        if target is None:
            try:
                return decode(binding["value"])
            except (OpaqueValue, ValueError, TypeError, KeyError) as error:
                raise RestoreError("%s needs %s: %s" % (name, binding["name"], error))
        node = self._nodes[target]
        if node["kind"] != "module":
            return self._shells[target].function
        try:
            value = importlib.import_module(target)
            for attribute in (binding.get("attribute") or "").split("."):
                value = getattr(value, attribute) if attribute else value
        except (ImportError, AttributeError) as error:
            raise RestoreError("%s needs %s: %s" % (name, binding["name"], error))
        return value

    def _provide_modules(self, reached: List[str]) -> None:
        """Let the local modules of the plan be imported where nothing installed is."""
        seen: Set[str] = set()
        waiting = list(reached)
        sources: Dict[str, Any] = {}
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            node = self._nodes[name]
            if node["kind"] == "module" and node.get("source") is not None:
                sources[name] = node
            waiting.extend(b["to"] for b in node.get("names", ()) if b.get("to") is not None)
        if sources:
            finder: Any = next((f for f in sys.meta_path if isinstance(f, LocalModules)), None)
            if finder is None:
                finder = LocalModules()
                sys.meta_path.insert(0, finder)
            for name, node in sources.items():
                known = finder.sources.setdefault(name, node)
                if known["source"] != node["source"]:
                    raise RestoreError(
                        "another model loaded in this process brought another module %s" % name
                    )


def _empty_cell() -> Any:
    """Return a closure cell: before 3.8 no type makes one, but any closure has some."""
    value = None

    def holder() -> Any:
        return value

    closure: Any = holder.__closure__
    return closure[0]


class LocalModules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the user's own modules in memory, where no installed module has their name."""

    def __init__(self) -> None:
        self.sources: Dict[str, Any] = {}

    def find_spec(
        self, fullname: str, path: Any = None, target: Any = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        node = self.sources.get(fullname) or {}
        package = any(other.startswith(fullname + ".") for other in self.sources)
        if not node and not package:
            return None
        for other in sys.meta_path:
            # An empty folder of that name (a namespace package) has no loader: no module.
            if other is self or not hasattr(other, "find_spec"):
                continue
            found = other.find_spec(fullname, path, target)
            if found is not None and found.loader is not None and found.origin is not None:
                return None
        package = package or bool(node.get("package"))
        return importlib.machinery.ModuleSpec(
            fullname, self, origin="<capsule %s>" % fullname, is_package=package
        )

    def create_module(self, spec: Any) -> None:
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        node = self.sources.get(module.__name__)
        if node is None:
            return
        text = node["source"]
        filename = "<capsule %s>" % module.__name__
        linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
        exec(compile(text, filename, "exec", 0, True), module.__dict__)
