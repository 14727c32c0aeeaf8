"""A plan's definitions to live objects, their names bound again.

Functions are made first and bound afterwards, so that they may call each other in circles
and in chains of any length. What only running code can make (classes, decorated functions,
calls, instances) is made when something needs it, from parts that are complete.
"""

import base64
import hashlib
import linecache
import marshal
import sys
import types
from importlib.util import MAGIC_NUMBER
from typing import Any, Dict, Iterable, Iterator, List, Optional, Set, Tuple

from .compiling import DefinitionSource, RestoreError, UnboundFunction, make_unbound
from .leaks import GLOBAL_EDGES, refuse_foreign_names
from .modules import PrivateModules, expose_module, source_name
from .values import OpaqueValue, decode

__all__ = ["RestoreError", "Restorer"]

# Edges that a definition needs while it is being made; calls need all others.
_DEFINING_EDGES = ("base", "body")
_MUTABLE = {"list": list, "dict": dict}
_IMMUTABLE = {"tuple": tuple, "set": set, "frozenset": frozenset}


class Restorer(object):
    """The objects that one plan defines, each made once.

    Parameters
    ----------
    nodes
        The definitions of the plan, by name.
    keras
        The Keras that will load the model; it stands in for one that is not installed.
    caller_values
        Values for names that the functions use and nothing defines.
    """

    def __init__(
        self,
        nodes: Dict[str, Any],
        keras: Any = None,
        caller_values: Optional[Dict[str, Any]] = None,
    ) -> None:
        self._nodes = nodes
        self._keras = keras
        self._caller_values = caller_values or {}
        self._modules = PrivateModules(nodes)
        self._namespaces: Dict[str, Dict[str, Any]] = {}
        self._functions: Dict[str, UnboundFunction] = {}
        self._objects: Dict[str, Any] = {}
        self._unfinished: Set[str] = set()
        self._complete: Set[str] = set()

    def restore(self, names: Iterable[str]) -> Dict[str, Any]:
        """Make the objects of some definitions, with all that they reach.

        No function is called but those that a definition calls; modules that they reach
        are imported.

        Parameters
        ----------
        names
            Names of definitions in the plan.

        Returns
        -------
        dict
            The object of each name.

        Raises
        ------
        RestoreError
            Something that they reach can't be rebuilt here.
        """
        names = list(names)
        self._settle(names)
        self._refuse_foreign_names()
        return {name: self._object(name) for name in names}

    def _settle(self, names: Iterable[str]) -> None:
        """Make and bind all that *names* reach, except what is being made right now."""
        reach = self._reach(names)
        for name in reach:
            if _is_function(self._nodes[name]) and name not in self._functions:
                self._functions[name] = self._make_function(name)
        for name in reach:
            if not _is_function(self._nodes[name]) and name not in self._unfinished:
                self._object(name)
        for name in reach:
            if name not in self._complete and self._bind(name):
                self._complete.add(name)

    def _refuse_foreign_names(self) -> None:
        definitions = {
            name: (self._nodes[name], self._functions[name].function)
            for name in sorted(self._functions)
        }
        spaces = {name: self._namespace(node) for name, (node, _) in definitions.items()}
        refuse_foreign_names(definitions, spaces, self._modules)

    def _reach(self, names: Iterable[str]) -> List[str]:
        """Return the definitions that *names* reach, modules left out, callers first."""
        order: List[str] = []
        visits: Set[str] = set()
        stack = list(reversed(list(names)))
        while stack:
            name = stack.pop()
            if name in visits:
                continue
            visits.add(name)
            node = self._nodes.get(name)
            if node is None:
                raise RestoreError("the plan has no definition of %s" % name)
            if node["kind"] != "module":
                order.append(name)
            targets = (binding.get("to") for binding in node.get("names", ()))
            stack.extend(target for target in targets if target is not None)
        return order

    def _namespace(self, node: Dict[str, Any]) -> Dict[str, Any]:
        key = node["namespace"]
        if key not in self._namespaces:
            name = node["module"] or "__main__"
            self._namespaces[key] = {
                "__name__": name,
                "__builtins__": self._modules.builtins,
                "__package__": name.rpartition(".")[0],
            }
        return self._namespaces[key]

    def _make_function(self, name: str) -> UnboundFunction:
        node = self._nodes[name]
        if node["source"] is not None:
            return self._from_source(name, node, {})
        unbound = self._from_code(name, node, self._namespace(node))
        _set_names(unbound.function, node)
        return unbound

    def _from_source(
        self, name: str, node: Dict[str, Any], closure_values: Dict[str, Any]
    ) -> UnboundFunction:
        source = node["source"]
        filename = source_name(name, source)
        # mtime None: linecache keeps the entry, so that tracebacks and AutoGraph find it.
        linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
        definition = DefinitionSource(
            source,
            filename,
            freevars=[b["name"] for b in node["names"] if b["how"] == "closure"],
            futures=node["futures"],
            keep_decorators=bool(node.get("decorated")),
            bases=_numbers(node, "base"),
            registrations=_numbers(node, "decorator"),
        )
        unbound = make_unbound(definition, self._namespace(node), closure_values)
        _set_names(unbound.function, node)
        return unbound

    def _from_code(
        self, name: str, node: Dict[str, Any], namespace: Dict[str, Any]
    ) -> UnboundFunction:
        stored = node["code"]
        magic = MAGIC_NUMBER[0] | MAGIC_NUMBER[1] << 8
        if stored is None or stored.get("base64") is None:
            raise RestoreError("%s has neither source nor code" % name)
        if stored["magic"] != magic:
            raise RestoreError(
                "%s has no source, and its bytecode (magic %s) is not this Python's (%d)"
                % (name, stored["magic"], magic)
            )
        raw = base64.b64decode(stored["base64"])
        if hashlib.sha256(raw).hexdigest() != stored["sha256"]:
            raise RestoreError("the code of %s is not what its digest says" % name)
        code = marshal.loads(raw)
        cells = tuple(_empty_cell() for _ in code.co_freevars)
        function = types.FunctionType(code, namespace, code.co_name, None, cells or None)

        def bind(variable: str, value: Any) -> None:
            try:
                cells[code.co_freevars.index(variable)].cell_contents = value
            except AttributeError:  # not writable before 3.7
                raise RestoreError("%s has a closure and no source: Python 3.6 cannot" % name)

        return UnboundFunction(function, bind)

    def _object(self, name: str) -> Any:
        """Return what *name* defines; make it if need be."""
        if name in self._functions and _is_function(self._nodes[name]):
            return self._functions[name].function
        if name not in self._objects:
            if name in self._unfinished:
                raise RestoreError("%s needs itself to be made" % name)
            self._unfinished.add(name)
            try:
                self._objects[name] = self._make(name, self._nodes[name])
            finally:
                self._unfinished.discard(name)
        return self._objects[name]

    def _make(self, name: str, node: Dict[str, Any]) -> Any:
        kind = node["kind"]
        if node["origin"] == "reference":
            return self._value(name, node["names"][0])
        if kind in _MUTABLE:
            return _MUTABLE[kind]()  # filled when all else exists: it may hold itself
        if kind in _IMMUTABLE:
            return _IMMUTABLE[kind](self._items(name, node))
        if kind == "instance":
            owner = self._part(name, node)
            return object.__new__(owner)
        if kind == "call":
            return self._call(name, node)
        return self._define(name, node)

    def _call(self, name: str, node: Dict[str, Any]) -> Any:
        function = self._part(name, node)
        arguments = [self._value(name, b) for b in node["names"] if b["how"] == "argument"]
        return function(*arguments, **self._values(name, node, "keyword"))

    def _part(self, name: str, node: Dict[str, Any]) -> Any:
        return next(self._value(name, b) for b in node["names"] if b["how"] == "part")

    def _items(self, name: str, node: Dict[str, Any]) -> List[Any]:
        return [self._value(name, edge) for edge in node["names"]]

    def _values(self, name: str, node: Dict[str, Any], how: str) -> Dict[str, Any]:
        """Return the values of a definition's edges of one kind, by name."""
        return {b["name"]: self._value(name, b) for b in node["names"] if b["how"] == how}

    def _define(self, name: str, node: Dict[str, Any]) -> Any:
        """Run a class statement, or a def with its decorators, in the names that it needs."""
        edges = [b for b in node["names"] if b["how"] in _DEFINING_EDGES + ("closure",)]
        self._settle(b["to"] for b in edges if b.get("to") is not None and b["to"] != name)
        closure_values: Dict[str, Any] = {}
        namespace = self._namespace(node)
        for edge in edges:
            if edge.get("missing") or edge.get("to") in self._unfinished:
                continue
            target = closure_values if edge["how"] == "closure" else namespace
            target[edge["name"]] = self._value(name, edge)
        if node["source"] is None:
            raise RestoreError("%s has no source: %s" % (name, node.get("reason") or "unknown"))
        module_name = node["module"] or "__main__"
        module = types.ModuleType(module_name)
        vars(module).update(namespace)
        with expose_module(module_name, module):
            self._functions[name] = unbound = self._from_source(name, node, closure_values)
        return unbound.function

    def _bind(self, name: str) -> bool:
        """Bind the names of what *name* defines; return False if one of them is unfinished."""
        node = self._nodes[name]
        kind = node["kind"]
        if node["origin"] == "reference" or kind == "call" or kind in _IMMUTABLE:
            return True
        complete = not any(b.get("to") in self._unfinished for b in node["names"])
        if _is_function(node):
            self._bind_names(name, node)
        elif not complete:
            return False
        elif kind == "list":
            self._object(name)[:] = self._items(name, node)
        elif kind == "dict":
            keys = [edge["name"] for edge in node["names"]]
            self._object(name).update(zip(keys, self._items(name, node)))
        elif kind == "instance":
            vars(self._object(name)).update(self._values(name, node, "attribute"))
        else:
            self._bind_names(name, node)
        return complete

    def _bind_names(self, name: str, node: Dict[str, Any]) -> None:
        """Set globals, closure, defaults and attributes of a function or class."""
        function, bind = self._functions[name]
        namespace = self._namespace(node)
        defaults: List[Any] = []
        keyword_defaults: Dict[str, Any] = {}
        for how, variable, value in self._name_values(name, node):
            if how in GLOBAL_EDGES:
                namespace[variable] = value
            elif how == "closure":
                bind(variable, value)
            elif how == "default":
                defaults.append(value)
            elif how == "keyword-default":
                keyword_defaults[variable] = value
            elif how == "attribute" and variable.isidentifier():
                setattr(function, variable, value)  # others are submodules, imported by now
        if _is_function(node):
            function.__defaults__ = tuple(defaults) or None
            function.__kwdefaults__ = keyword_defaults or None

    def _name_values(self, name: str, node: Dict[str, Any]) -> Iterator[Tuple[str, str, Any]]:
        """Give kind, name and value of each edge that can be bound by now."""
        for edge in node["names"]:
            how, variable = edge["how"], edge["name"]
            if edge.get("missing"):
                if variable in self._caller_values and how in GLOBAL_EDGES + ("closure",):
                    yield how, variable, self._caller_values[variable]
            elif how not in ("import", "decorator") and edge.get("to") not in self._unfinished:
                yield how, variable, self._value(name, edge)

    def _value(self, name: str, binding: Dict[str, Any]) -> Any:
        target = binding.get("to")
        if target is None:
            try:
                return decode(binding["value"])
            except (OpaqueValue, ValueError, TypeError, KeyError) as error:
                raise RestoreError("%s needs %s: %s" % (name, binding["name"], error))
        if self._nodes[target]["kind"] != "module":
            return self._object(target)
        try:
            return self._import(target, binding.get("attribute") or "")
        except (ImportError, AttributeError) as error:
            raise RestoreError("%s needs %s: %s" % (name, binding["name"], error))

    def _import(self, module: str, attributes: str) -> Any:
        try:
            return _attribute(self._modules.get(module), attributes)
        except ImportError:
            # Where that Keras is not installed, the one that loads the model stands in for it.
            path = (module + "." + attributes if attributes else module).split(".")
            tops = (["tensorflow", "keras"], ["tf_keras"], ["keras"])
            top = next((top for top in tops if path[: len(top)] == top), None)
            if top is None or self._keras is None:
                raise
            rest = ".".join(path[len(top) :])
            tensorflow = sys.modules.get("tensorflow")
            # TensorFlow's copy of it has names that Keras 3 itself has dropped.
            for keras in ([tensorflow.keras] if tensorflow else []) + [self._keras]:
                try:
                    return _attribute(keras, rest)
                except AttributeError:
                    continue
            raise


def _attribute(value: Any, attributes: str) -> Any:
    for attribute in attributes.split("."):
        value = getattr(value, attribute) if attribute else value
    return value


def _is_function(node: Dict[str, Any]) -> bool:
    """Tell whether a definition is a function that can be made without running anything."""
    plain = node["kind"] in ("lambda", "function") and not node.get("decorated")
    return plain and node["origin"] != "reference"


def _set_names(value: Any, node: Dict[str, Any]) -> None:
    """Give a function or class, and its methods, the names that it had where it stood."""
    if isinstance(value, (types.FunctionType, type)):
        value.__module__ = node["module"]
        value.__qualname__ = node["qualname"]
        value.__name__ = node["qualname"].rpartition(".")[2]
    if isinstance(value, type):
        for attribute, method in vars(value).items():
            if isinstance(method, types.FunctionType):
                method.__qualname__ = "%s.%s" % (node["qualname"], attribute)


def _numbers(node: Dict[str, Any], how: str) -> List[int]:
    """Return the numbers of the bases or decorators that stand under a name of ours."""
    names = [b["name"] for b in node["names"] if b["how"] == how and b["name"].startswith("__")]
    return [int("".join(c for c in name if c.isdigit()) or 0) for name in names]


def _empty_cell() -> Any:
    """Return a closure cell, out of a closure: before 3.8 there is no type to call."""
    value: Optional[Any] = None

    def holder() -> Any:
        return value

    closure: Any = holder.__closure__
    return closure[0]
