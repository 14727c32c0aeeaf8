"""A plan's definitions to live objects, their names bound again.

Functions are made first and bound after, so that helpers may call each other in circles
and chains may be as long as they like. What has to be run to exist (classes, decorated
functions, calls, instances) is made when something needs it, from parts that are ready.
"""

import base64
import dis
import hashlib
import linecache
import marshal
import sys
import types
from importlib.util import MAGIC_NUMBER
from typing import Any, Dict, Iterable, Iterator, List, Optional, Set, Tuple

from .compiling import RestoreError, Shell, compile_shell
from .modules import PrivateModules, named_by, source_name, standing_in
from .values import OpaqueValue, decode

__all__ = ["RestoreError", "Restorer"]

# Edges that a definition needs while it is being made; all others are needed by its calls.
DEFINING = ("base", "body")
# Edges that are names among the globals of what was defined.
_GLOBAL = ("global",) + DEFINING
_EMPTY = {"list": list, "dict": dict}


class Restorer(object):
    """Makes what one plan defines; each definition once. *keras* is the one that will load."""

    def __init__(
        self, nodes: Dict[str, Any], keras: Any = None, bound: Optional[Dict[str, Any]] = None
    ) -> None:
        self._nodes = nodes
        self._keras = keras
        self._given = bound or {}
        self._modules = PrivateModules(nodes)
        self._namespaces: Dict[str, Dict[str, Any]] = {}
        self._shells: Dict[str, Shell] = {}
        self._made: Dict[str, Any] = {}
        self._making: Set[str] = set()
        self._bound: Set[str] = set()

    def restore(self, names: Iterable[str]) -> Dict[str, Any]:
        """Return ``{name: object}`` for the definitions *names* of the plan.

        No function is called but those that a definition calls, though modules that they
        reach are imported. Raises RestoreError if one of those reached cannot be rebuilt.
        """
        names = list(names)
        self._settle(names)
        self._refuse_leaks()
        return {name: self._object(name) for name in names}

    def _settle(self, names: Iterable[str]) -> None:
        """Make and bind all that *names* reach, as far as it isn't being made right now."""
        reached = self._reached(names)
        for name in reached:
            if _is_function(self._nodes[name]) and name not in self._shells:
                self._shells[name] = self._shell(name)
        for name in reached:
            if not _is_function(self._nodes[name]) and name not in self._making:
                self._object(name)
        for name in reached:
            if name not in self._bound and self._bind(name):
                self._bound.add(name)

    def _refuse_leaks(self) -> None:
        """Refuse what would find a name that only another function brought.

        Functions of one module share its globals, as they did; but each must say itself
        what it needs, or trust in one would not cover what it runs.
        """
        said: Dict[Tuple[str, str], Any] = {}
        for name in sorted(self._shells):
            node = self._nodes[name]
            own = {b["name"] for b in node["names"] if b["how"] in _GLOBAL}
            for binding in node["names"]:
                if binding["how"] not in _GLOBAL:
                    continue
                means = [bool(binding.get("missing"))]
                means += [binding.get(key) for key in ("to", "attribute", "value")]
                place = (node["namespace"], binding["name"])
                if said.setdefault(place, means) != means:
                    raise RestoreError("two functions mean different things by %s" % place[1])
            brought = self._namespace(node)
            for how, used in names_in(self._shells[name].function):
                if how == "import" and self._modules.brings(used) and not named_by(node, used):
                    raise RestoreError("%s would find the module %s of another" % (name, used))
                if (
                    how == "global"
                    and used in brought
                    and used not in own
                    and not used.startswith("__")
                ):
                    raise RestoreError("%s would find the %s of another function" % (name, used))

    def _reached(self, names: Iterable[str]) -> List[str]:
        order: List[str] = []
        seen: Set[str] = set()
        waiting = list(reversed(list(names)))
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
                "__builtins__": self._modules.builtins,
                "__package__": name.rpartition(".")[0],
            }
        return self._namespaces[key]

    def _shell(self, name: str) -> Shell:
        """Return a function that is not bound yet."""
        node = self._nodes[name]
        if node["source"] is not None:
            return self._from_source(name, node, {})
        shell = self._from_code(name, node, self._namespace(node))
        return _titled(shell, node)

    def _from_source(self, name: str, node: Dict[str, Any], given: Dict[str, Any]) -> Shell:
        source = node["source"]
        filename = source_name(name, source)
        # mtime None: linecache keeps the entry, so tracebacks and AutoGraph find it.
        linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
        shell = compile_shell(
            source,
            filename,
            [b["name"] for b in node["names"] if b["how"] == "closure"],
            node["futures"],
            self._namespace(node),
            given=given,
            whole=bool(node.get("decorated")),
            bases=_numbers(node, "base"),
            dropped=_numbers(node, "decorator"),
        )
        return _titled(shell, node)

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

    def _object(self, name: str) -> Any:
        """Return what *name* defines, making it if need be."""
        if name in self._shells and _is_function(self._nodes[name]):
            return self._shells[name].function
        if name not in self._made:
            if name in self._making:
                raise RestoreError("%s needs itself to be made" % name)
            self._making.add(name)
            try:
                self._made[name] = self._make(name, self._nodes[name])
            finally:
                self._making.discard(name)
        return self._made[name]

    def _make(self, name: str, node: Dict[str, Any]) -> Any:
        kind = node["kind"]
        if node["origin"] == "reference":
            return self._value(name, node["names"][0])
        if kind in _EMPTY:
            return _EMPTY[kind]()  # filled when all is made: it may hold itself
        if kind in ("tuple", "set", "frozenset"):
            items = [self._value(name, b) for b in node["names"]]
            return {"tuple": tuple, "set": set, "frozenset": frozenset}[kind](items)
        if kind == "instance":
            owner = self._part(name, node)
            return object.__new__(owner)
        if kind == "call":
            function = self._part(name, node)
            given = [b for b in node["names"] if b["how"] == "argument"]
            arguments = [self._value(name, b) for b in given]
            named = {
                b["name"]: self._value(name, b) for b in node["names"] if b["how"] == "keyword"
            }
            return function(*arguments, **named)
        return self._define(name, node)

    def _part(self, name: str, node: Dict[str, Any]) -> Any:
        return next(self._value(name, b) for b in node["names"] if b["how"] == "part")

    def _define(self, name: str, node: Dict[str, Any]) -> Any:
        """Run a class statement, or a def with its decorators, in the names that it needs."""
        needed = [b for b in node["names"] if b["how"] in DEFINING or b["how"] == "closure"]
        self._settle(b["to"] for b in needed if b.get("to") is not None and b["to"] != name)
        given: Dict[str, Any] = {}
        namespace = self._namespace(node)
        for binding in needed:
            if binding.get("missing") or binding.get("to") in self._making:
                continue
            target = given if binding["how"] == "closure" else namespace
            target[binding["name"]] = self._value(name, binding)
        if node["source"] is None:
            raise RestoreError("%s has no source: %s" % (name, node.get("reason") or "unknown"))
        with standing_in(node["module"] or "__main__", vars_of=namespace):
            self._shells[name] = shell = self._from_source(name, node, given)
        return shell.function

    def _bind(self, name: str) -> bool:
        """Set the names of what was made; False if one of them is not made yet."""
        node = self._nodes[name]
        if node["origin"] == "reference" or node["kind"] in ("call", "tuple", "set", "frozenset"):
            return True
        waits = any(b.get("to") in self._making for b in node["names"])
        if _is_function(node):
            self._bind_names(name, node, self._shells[name])
        elif waits:
            pass
        elif node["kind"] == "list":
            self._object(name)[:] = [self._value(name, b) for b in node["names"]]
        elif node["kind"] == "dict":
            self._object(name).update({b["name"]: self._value(name, b) for b in node["names"]})
        elif node["kind"] == "instance":
            values = [b for b in node["names"] if b["how"] == "attribute"]
            vars(self._object(name)).update({b["name"]: self._value(name, b) for b in values})
        else:
            self._bind_names(name, node, self._shells[name])
        return not waits

    def _bind_names(self, name: str, node: Dict[str, Any], shell: Shell) -> None:
        namespace = self._namespace(node)
        defaults: List[Any] = []
        keyword_defaults: Dict[str, Any] = {}
        for binding in node["names"]:
            how, variable = binding["how"], binding["name"]
            if binding.get("missing") and variable in self._given:
                value = self._given[variable]
                if how in _GLOBAL:
                    namespace[variable] = value
                elif shell.bind is not None:
                    shell.bind(variable, value)
                continue
            if (
                binding.get("missing")
                or how in ("import", "decorator")
                or binding.get("to") in self._making
            ):
                continue
            value = self._value(name, binding)
            if how == "attribute" and not variable.isidentifier():
                continue  # a submodule: it had to be imported, no more
            if how in _GLOBAL:
                namespace[variable] = value
            elif how == "closure" and shell.bind is not None:
                shell.bind(variable, value)
            elif how == "default":
                defaults.append(value)
            elif how == "keyword-default":
                keyword_defaults[variable] = value
            elif how == "attribute":
                setattr(shell.function, variable, value)
        if _is_function(node):
            shell.function.__defaults__ = tuple(defaults) or None
            shell.function.__kwdefaults__ = keyword_defaults or None

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
            return self._imported(target, binding.get("attribute") or "")
        except (ImportError, AttributeError) as error:
            raise RestoreError("%s needs %s: %s" % (name, binding["name"], error))

    def _imported(self, module: str, attributes: str) -> Any:
        try:
            return _taken(self._modules.get(module), attributes)
        except ImportError:
            # Where that Keras is missing, the one that loads the model stands for it.
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
                    return _taken(keras, rest)
                except AttributeError:
                    continue
            raise


def _taken(value: Any, attributes: str) -> Any:
    for attribute in attributes.split("."):
        value = getattr(value, attribute) if attribute else value
    return value


def names_in(made: Any) -> Iterator[Tuple[str, str]]:
    """Give what a function, or a class' methods, look up: ``global`` names and ``import``s."""
    found = [vars(made)[name] for name in vars(made)] if isinstance(made, type) else [made]
    waiting = [getattr(one, "__code__", None) for one in found]
    for code in waiting:  # grows while it is walked
        if isinstance(code, types.CodeType):
            waiting += [one for one in code.co_consts if isinstance(one, types.CodeType)]
            for instruction in dis.get_instructions(code):
                if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                    yield "global", instruction.argval
                elif instruction.opname == "IMPORT_NAME" and instruction.argval:
                    yield "import", instruction.argval


def _is_function(node: Dict[str, Any]) -> bool:
    """Tell whether a definition is a function that can be made without running anything."""
    plain = node["kind"] in ("lambda", "function") and not node.get("decorated")
    return plain and node["origin"] != "reference"


def _titled(shell: Shell, node: Dict[str, Any]) -> Shell:
    """Give what was defined the names it had where it stood."""
    made: Any = shell.function
    if isinstance(made, (types.FunctionType, type)):
        made.__module__ = node["module"]
        made.__qualname__ = node["qualname"]
        made.__name__ = node["qualname"].rpartition(".")[2]
    if isinstance(made, type):
        for attribute, value in vars(made).items():
            if isinstance(value, types.FunctionType):
                value.__qualname__ = "%s.%s" % (node["qualname"], attribute)
    return shell


def _numbers(node: Dict[str, Any], how: str) -> List[int]:
    """Return the places of those edges of a class that are named by number."""
    names = [b["name"] for b in node["names"] if b["how"] == how and b["name"].startswith("__")]
    return [int("".join(c for c in name if c.isdigit()) or 0) for name in names]


def _empty_cell() -> Any:
    """Return a closure cell: before 3.8 no type makes one, but any closure has some."""
    value: Optional[Any] = None

    def holder() -> Any:
        return value

    closure: Any = holder.__closure__
    return closure[0]
