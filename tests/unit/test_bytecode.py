"""Which names a function uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from capsule.bytecode import adapt, names_used


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
