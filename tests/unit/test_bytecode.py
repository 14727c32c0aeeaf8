"""Which names a function uses; chains of assignments; imports in one direction."""

from __future__ import annotations

import ast
from collections.abc import Callable
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from capsule.bytecode import adapt, decompile, decompile_code, names_used


def used(function: Callable[..., Any]) -> Any:
    return names_used(adapt(function.__code__))


def test_globals_come_with_the_attribute_chains_taken_of_them() -> None:
    uses = used(lambda x: np.tanh(x) + scipy.special.erf(x) * SCALE)  # noqa: F821
    assert uses.globals == {"np": {"tanh"}, "scipy": {"special.erf"}, "SCALE": set()}


def test_closures_are_followed_into_nested_code() -> None:
    n, module = 3, object()

    def outer(x: Any) -> Any:
        return [module.deep.f(y) for y in x] + [(lambda z: z * n)(x)]  # type: ignore[attr-defined]

    uses = used(outer)
    assert uses.free == {"n": set(), "module": {"deep.f"}}


def test_names_local_to_the_function_are_not_free() -> None:
    def outer(x: Any) -> Any:
        k = x + 1
        return lambda y: y * k

    assert used(outer).free == {}


def test_imports_in_the_body_are_found() -> None:
    def body(x: Any) -> Any:
        import math
        import os.path as p
        from collections import OrderedDict, deque

        return math.pi * x, p, OrderedDict, deque

    imports = {i.module: i for i in used(body).imports}
    assert imports["math"].attributes == {"pi"}
    assert imports["os.path"].level == 0
    assert set(imports["collections"].names) == {"OrderedDict", "deque"}


def test_every_target_of_a_chain_is_read_back() -> None:
    def body(x: Any) -> Any:
        a = (b, c) = d = x
        return a, b, c, d

    statement = ast.parse(str(decompile_code(adapt(body.__code__)).source)).body[0].body[0]  # type: ignore[attr-defined]
    # Python 3.9 writes `(b, c)` where later ones write `b, c`.
    assert ast.dump(statement) == ast.dump(ast.parse("a = (b, c) = d = x").body[0])


def test_modules_of_the_decompiler_import_in_one_direction() -> None:
    room = "capsule.bytecode.decompile"
    imports: dict[str, set[str]] = {}
    for path in Path(decompile.__file__).parent.glob("*.py"):
        own = imports.setdefault(path.stem, set())
        for node in ast.walk(ast.parse(path.read_text())):  # those inside functions as well
            if isinstance(node, ast.ImportFrom) and node.module == room:
                own.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(room):
                own.add((node.module or "").removeprefix(f"{room}."))
    TopologicalSorter(imports).prepare()  # raises CycleError for a circle
