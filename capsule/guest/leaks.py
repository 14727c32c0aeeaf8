"""Refuses functions that would find a name which only another function of the plan brought.

Functions of one module share its globals, as they did where they stood. But each must list
what it needs itself: else trust in one of them would not cover all that it runs.
"""

import dis
import types
from typing import Any, Dict, Iterator, NamedTuple, Tuple

from .compiling import RestoreError
from .modules import PrivateModules, imports_module

# Edges of a definition that are names among its globals.
GLOBAL_EDGES = ("global", "base", "body")


class LookUp(NamedTuple):
    """A name that code looks up: a ``global``, or a module by an ``import`` statement."""

    how: str
    name: str


def refuse_foreign_names(
    definitions: Dict[str, Tuple[Dict[str, Any], Any]],
    namespaces: Dict[str, Dict[str, Any]],
    modules: PrivateModules,
) -> None:
    """Refuse functions that find what they do not list themselves.

    Parameters
    ----------
    definitions
        Node and live object of each function and class of the plan, by name.
    namespaces
        Their globals, by the same names.
    modules
        The modules that the plan brings.

    Raises
    ------
    RestoreError
        A function would find a global or module of another, or two of one module mean
        different things by one name.
    """
    meanings: Dict[Tuple[str, str], Any] = {}
    for name, (node, value) in definitions.items():
        edges = [b for b in node["names"] if b["how"] in GLOBAL_EDGES]
        for edge in edges:
            meaning = [bool(edge.get("missing"))]
            meaning += [edge.get(key) for key in ("to", "attribute", "value")]
            if meanings.setdefault((node["namespace"], edge["name"]), meaning) != meaning:
                raise RestoreError("two functions mean different things by %s" % edge["name"])
        foreign = set(namespaces[name]) - {edge["name"] for edge in edges}
        for how, target in look_ups(value):
            if how == "import" and modules.brings(target) and not imports_module(node, target):
                raise RestoreError("%s would find the module %s of another" % (name, target))
            if how == "global" and target in foreign and not target.startswith("__"):
                raise RestoreError("%s would find the %s of another function" % (name, target))


def look_ups(value: Any) -> Iterator[LookUp]:
    """Give what a function, or the methods of a class, look up when they run."""
    functions = list(vars(value).values()) if isinstance(value, type) else [value]
    stack = [getattr(function, "__code__", None) for function in functions]
    while stack:
        code = stack.pop()
        if not isinstance(code, types.CodeType):
            continue
        stack += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
        for instruction in dis.get_instructions(code):
            if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                yield LookUp("global", instruction.argval)
            elif instruction.opname == "IMPORT_NAME" and instruction.argval:
                yield LookUp("import", instruction.argval)
