"""What a function reaches, as the sidecar keeps it; and the function made again from that."""

from __future__ import annotations

import importlib
import json
import math
import os.path as osp
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
import numpy.linalg
import pytest

from capsule.capture.context import make_context
from capsule.capture.graph import ImportGraph
from capsule.capture.options import SaveOptions
from capsule.capture.origins import Origins
from capsule.environment import live_environment
from capsule.guest.restore import RestoreError, Restorer
from capsule.manifest import Node

SCALE = 3
TABLE = np.array([1.0, 2.0], dtype="float32")
API_KEY = "hunter2"
TOKEN_COUNT = 7


def graph_of(*functions: Any, root: Path | None = None, **options: Any) -> ImportGraph:
    origins = Origins(live_environment().paths)
    graph = ImportGraph(make_context(origins, root or Path.cwd(), SaveOptions(**options)))
    for function in functions:
        graph.add(function)
    return graph


def restored(function: Any) -> Any:
    """Return *function* after capture, JSON, and restoring: as another process would have it."""
    graph = graph_of()
    name = graph.add(function)
    nodes = json.loads(json.dumps({key: asdict(node) for key, node in graph.nodes.items()}))
    return Restorer(nodes).restore([name])[name]  # type: ignore[list-item, index]


def bindings(graph: ImportGraph, ending: str) -> dict[str, Any]:
    node: Node = next(n for key, n in graph.nodes.items() if key.endswith(ending))
    return {b.name: b for b in node.names}


def helper(x: float) -> float:
    return math.sqrt(x) + SCALE


def chained(x: float) -> float:
    return helper(x) * 2


def even(n: int) -> bool:
    return n == 0 or odd(n - 1)


def odd(n: int) -> bool:
    return n != 0 and even(n - 1)


def scaled(n: int, table: Any = None) -> Callable[[Any], Any]:
    return lambda x: x * n + table[0]


def keyword(x: int, k: int = 3, *, shift: tuple[int, ...] = (1, 2)) -> int:
    return x * k + shift[1]


def submodule(x: Any) -> Any:
    return np.linalg.norm(x)


def with_import(x: float) -> float:
    import cmath
    from math import pi

    return x * pi + cmath.pi


def path_user(x: str) -> str:
    return osp.join(x, "y")


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def inner(*a: Any) -> Any:
        return function(*a)

    return inner


@logged
def decorated(x: int) -> int:
    return x + SCALE


def nested(x: int) -> list[int]:
    def inner(y: int) -> int:
        return y * SCALE

    return [inner(x + i) for i in range(3)]


def factorial(n: int) -> int:
    return 1 if n < 2 else n * factorial(n - 1)


def local_factorial() -> Callable[[int], int]:
    def inner(n: int) -> int:
        return 1 if n < 2 else n * inner(n - 1)

    return inner


@pytest.mark.parametrize(
    ("function", "argument"),
    [
        (lambda x: x * 2, 4),
        (helper, 4.0),
        (chained, 4.0),
        (even, 10),
        (scaled(3, TABLE), 5),
        (keyword, 4),
        (submodule, [3.0, 4.0]),
        (with_import, 2.0),
        (path_user, "a"),
        (decorated, 1),
        (nested, 1),
        (factorial, 6),
        (local_factorial(), 6),
        (lambda x: x + TABLE.sum(), 1),
        (lambda x, k=SCALE: x * k, 2),
        (eval("lambda x: x + 5"), 1),
    ],
)
def test_a_function_comes_back_and_computes_the_same(function: Any, argument: Any) -> None:
    again = restored(function)
    assert again is not function
    np.testing.assert_array_equal(again(argument), function(argument))


def test_restoring_uses_what_was_captured_and_not_what_is_here_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    again = restored(helper)
    monkeypatch.setattr(sys.modules[__name__], "SCALE", 1000)
    assert again(4.0) == 5.0


def test_two_closures_of_one_code_keep_their_own_values() -> None:
    graph = graph_of()
    names = [graph.add(scaled(n, [0])) for n in (2, 3)]
    nodes = json.loads(json.dumps({key: asdict(node) for key, node in graph.nodes.items()}))
    functions = Restorer(nodes).restore(names)  # type: ignore[arg-type]
    assert [functions[name](10) for name in names] == [20, 30]  # type: ignore[index]


def test_edges_say_how_a_name_is_reached_and_what_is_taken_of_it() -> None:
    graph = graph_of(submodule)
    found = bindings(graph, ":submodule")
    assert found["np"].to == "numpy"
    assert found["np"].attributes == ("linalg.norm",)
    assert found["numpy.linalg"].how == "attribute"
    assert graph.nodes["numpy"].distribution == "numpy"
    assert graph.nodes["numpy.linalg"].origin == "distribution"


def test_a_thing_of_a_library_is_taken_by_its_public_name_and_not_copied() -> None:
    root = np.sqrt
    graph = graph_of(lambda x: root(x))
    found = bindings(graph, "<lambda>")
    assert (found["root"].to, found["root"].attribute) == ("numpy", "sqrt")


def test_a_name_that_nobody_defined_is_marked_missing() -> None:
    found = bindings(graph_of(lambda x: undefined_thing(x)), "<lambda>")  # noqa: F821
    assert found["undefined_thing"].missing


def test_what_is_no_plain_data_is_opaque_and_restoring_says_which() -> None:
    thing = object()
    graph = graph_of(lambda x: (x, thing))
    assert bindings(graph, "<lambda>")["thing"].value["type"] == "opaque"
    with pytest.raises(RestoreError, match="thing"):
        restored(lambda x: (x, thing))


def test_secrets_stay_out_unless_they_are_no_text() -> None:
    found = bindings(graph_of(lambda x: (API_KEY, TOKEN_COUNT)), "<lambda>")
    reason = found["API_KEY"].value["reason"]
    assert reason.startswith("its name looks like a secret's")
    assert "allow=['API_KEY']" in reason
    assert "capsule save --allow API_KEY" in reason
    assert found["TOKEN_COUNT"].value == 7


def test_source_and_values_can_be_left_out() -> None:
    graph = graph_of(helper, source=False, values=False)
    text = json.dumps({key: asdict(node) for key, node in graph.nodes.items()})
    assert "math.sqrt" not in text
    assert bindings(graph, ":helper")["SCALE"].value["type"] == "opaque"


def test_no_path_of_this_machine_is_kept(tmp_path: Path) -> None:
    for root in (Path.cwd(), tmp_path):
        graph = graph_of(helper, root=root)
        assert not any((node.file or "").startswith("/") for node in graph.nodes.values())


def test_a_thousand_lambdas_and_a_chain_a_thousand_deep() -> None:
    source = "\n".join(f"def f{i}(x):\n    return f{i + 1}(x) + 1" for i in range(1000))
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source + "\ndef f1000(x):\n    return x\n", "<string>", "exec"), scope)
    graph = graph_of(scope["f0"], *(eval("lambda x: x") for _ in range(1000)))
    assert len(graph.nodes) == 2001


@pytest.fixture
def local_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").write_text("from .deep import FACTOR\n")
    (tmp_path / "mine" / "deep.py").write_text("import math\nFACTOR = math.floor(2.5)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import mine  # type: ignore[import-not-found]

    yield mine
    for name in [name for name in sys.modules if name.split(".")[0] == "mine"]:
        del sys.modules[name]


def test_the_users_own_modules_are_taken_along_and_live_without_their_files(
    local_module: Any, tmp_path: Path
) -> None:
    graph = graph_of()
    name = graph.add(lambda x: local_module.FACTOR * x)
    assert {"mine", "mine.deep", "math"} <= set(graph.nodes)
    nodes = json.loads(json.dumps({key: asdict(node) for key, node in graph.nodes.items()}))
    for path in (tmp_path / "mine").iterdir():
        if path.is_file():
            path.unlink()
    for loaded in ("mine", "mine.deep"):
        del sys.modules[loaded]
    sys.path_importer_cache.clear()
    assert Restorer(nodes).restore([name])[name](10) == 20  # type: ignore[list-item, index]


def test_a_virtual_environment_inside_the_project_is_no_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / ".venv" / "lib" / "python3" / "site-packages"
    (site / "capsule_inner").mkdir(parents=True)
    (site / "capsule_inner" / "__init__.py").write_text("")
    metadata = site / "capsule_inner_dist-1.0.dist-info"
    metadata.mkdir()
    (metadata / "RECORD").write_text("capsule_inner/__init__.py,,\n")
    for path in (site, tmp_path):  # a script's folder comes first on its sys.path
        monkeypatch.syspath_prepend(path)
    importlib.import_module("capsule_inner")
    origins = Origins([str(tmp_path), str(site)])
    assert origins.of("capsule_inner").distribution == "capsule-inner-dist"
