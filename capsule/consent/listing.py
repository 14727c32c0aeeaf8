"""What a definition would run, in words: all that a person must read before allowing it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from capsule.guest import values
from capsule.manifest import Binding, Node

Nodes = Mapping[str, Node]
WIDTH = 60


def reaches(nodes: Nodes, names: Iterable[str]) -> tuple[str, ...]:
    """Return what *names*, definitions that belong together, take from elsewhere.

    A thing of a module by its whole name, the user's own modules as brought along.
    """
    apis: set[str] = set()
    for name in names:
        for binding in nodes[name].names:
            if binding.to is None or nodes[binding.to].kind != "module":
                continue
            if nodes[binding.to].source is not None:
                apis.add(f"{binding.to} (brought along)")
            else:
                chains = binding.members
                apis.update(f"{binding.to}.{chain}" for chain in chains)
                if not chains:
                    apis.add(binding.to)
    return tuple(sorted(apis))


def shown(nodes: Nodes, name: str) -> Iterator[str]:
    """Give the lines that tell what the node *name* is: source, parts, and values."""
    node = nodes[name]
    if node.origin == "reference":
        yield f"{_target(nodes, node.names[0])}" if node.names else f"{name}: nothing"
    elif node.kind == "module":
        if node.source is not None:
            yield f"module {name} (brought along):"
            yield from (f"  {line}" for line in node.source.strip("\n").splitlines())
        return
    elif node.source is not None:
        yield from node.source.strip("\n").splitlines()
    elif node.code is not None:
        yield f"{name}: bytecode, and no source"
    else:
        yield f"{_word(name)} = {_expression(nodes, node)}"
        return
    for binding in node.names:
        if binding.to is None and not binding.missing and binding.how not in ("decorator", "item"):
            yield f"  with {binding.name} = {_value(binding)}"


def _expression(nodes: Nodes, node: Node) -> str:
    """Return the expression that would make an object again."""
    parts = {how: [b for b in node.names if b.how == how] for how in _HOWS}
    words = [_target(nodes, b) for b in (*parts["argument"], *parts["item"])]
    words += [f"{b.name}={_target(nodes, b)}" for b in (*parts["keyword"], *parts["attribute"])]
    called = _target(nodes, parts["part"][0]) if parts["part"] else node.kind
    return f"{called}({', '.join(words)})"


_HOWS = ("part", "argument", "keyword", "attribute", "item")


def _target(nodes: Nodes, binding: Binding) -> str:
    if binding.to is None:
        return _value(binding)
    if nodes[binding.to].kind != "module":
        return _word(binding.to)
    return f"{binding.to}.{binding.attribute}" if binding.attribute else binding.to


def _word(name: str) -> str:
    return name.replace("__main__:", "").lstrip(":")


def _value(binding: Binding) -> str:
    opaque = values.find_opaque(binding.value)
    if opaque:
        return f"({opaque[0].get('of')}, not stored)"
    text = json.dumps(binding.value)
    return text if len(text) <= WIDTH else text[:WIDTH] + " …"
