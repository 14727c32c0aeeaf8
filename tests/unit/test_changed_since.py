"""What was changed after it was defined comes back as it was left, or is refused."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from capsule.guest.loader_patches import Tables
from capsule.guest.restore import RestoreError, Restorer
from capsule.guest.values import COUNT_LIMIT, TOO_LARGE, encode, find_opaque
from tests.making import plan_of
from tests.plans import artifact, digest, manifest
from tests.unit.test_shapes_of_functions import captured

FACTOR = 2.0


@dataclass
class Plain:
    """A dataclass without a method of its own."""

    x: float
    y: float = 3.0


def test_a_dataclass_without_methods_comes_back() -> None:
    point = Plain(2.0)
    name, nodes = captured(lambda x: x * point.x + point.y)
    assert Restorer(nodes).restore([name])[name](5.0) == 13.0


def test_a_method_whose_default_was_another_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Scaled:
        def go(self, x: float, factor: float = FACTOR) -> float:
            return x * factor

    name, nodes = captured(lambda x: Scaled().go(x))
    assert Restorer(nodes).restore([name])[name](3.0) == 6.0
    monkeypatch.setattr(sys.modules[__name__], "FACTOR", 9.0)
    name, nodes = captured(lambda x: Scaled().go(x))
    with pytest.raises(RestoreError, match="other default values"):
        Restorer(nodes).restore([name])


def test_a_class_made_with_a_local_that_is_gone_is_refused() -> None:
    def make(factor: float) -> Any:
        class Scaled:
            number = factor * 2

            def go(self, x: float) -> float:
                return x * self.number

        return Scaled

    kind = make(4.0)
    name, nodes = captured(lambda x: kind().go(x))
    with pytest.raises(RestoreError, match="factor of the function around it"):
        Restorer(nodes).restore([name])


def test_a_value_that_holds_itself_and_one_too_large_are_told_apart() -> None:
    tree: dict[str, Any] = {"children": []}
    tree["children"] = [{"parent": tree} for _ in range(4)]
    assert find_opaque(encode(tree))[0]["reason"] == "it holds itself"
    for large in (list(range(COUNT_LIMIT + 1)), [[0] * 200 for _ in range(200)]):
        assert find_opaque(encode(large))[0]["reason"] == TOO_LARGE
    name, nodes = captured(lambda x: x * len(tree["children"][0]["parent"]["children"]))
    assert Restorer(nodes).restore([name])[name](2) == 8


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    (tmp_path / "changing.py").write_text(
        "RATE: float = 2.0\nB, C = 2.0, 3.0\ndef go(x):\n    return x * RATE * B\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import changing  # type: ignore[import-not-found]

    yield changing
    del sys.modules["changing"]


def test_a_module_comes_back_with_what_its_names_were_set_to(mine: Any) -> None:
    mine.RATE, mine.B = 5.0, 7.0
    name, nodes = captured(lambda x: mine.go(x))
    assert Restorer(nodes).restore([name])[name](2.0) == 70.0


def test_a_module_finds_no_module_that_only_another_function_brought() -> None:
    def module(source: str, *imports: str) -> dict[str, Any]:
        names = [{"name": to, "how": "import", "to": to} for to in imports]
        return {"kind": "module", "origin": "local", "source": source, "names": names}

    def using(name: str) -> dict[str, Any]:
        return {
            "kind": "lambda",
            "module": "m",
            "qualname": "<lambda>",
            "namespace": name,
            "origin": "main",
            "source": f"lambda x: {name}.X",
            "futures": [],
            "code": None,
            "names": [{"name": name, "how": "global", "to": name}],
        }

    nodes = {"one": using("mine"), "two": using("other"), "other": module("X = 2")}
    told = {**nodes, "mine": module("import other\nX = other.X", "other")}
    assert Restorer(told).restore(["one"])["one"](0) == 2
    with pytest.raises(RestoreError, match="brought along by another"):
        Restorer({**nodes, "mine": module("import other\nX = other.X")}).restore(["one", "two"])


def test_trust_lifts_none_of_keras_own_guards() -> None:
    trusted = digest(plan_of(artifact(), manifest()))
    plan = plan_of(artifact(), manifest(), trust=[trusted])
    assert plan.consent.allowed
    assert plan.to_json()["safe_mode"] is True
    assert plan_of(artifact(), manifest(), safe_mode=False).to_json()["safe_mode"] is False


def test_two_layers_of_one_name_are_told_apart_by_their_functions_names() -> None:
    tables = Tables()
    for name in ("one", "two"):
        place = {"where": [name, "fn"], "role": "activation", "key": None, "name": name}
        tables.add(place, name.upper())
    assert tables.at("fn", "activation", "two") == "TWO"
    assert tables.at("fn", "activation", {"class_name": "function", "config": "one"}) == "ONE"
    # A third layer of that name has a function of Keras' own: it gets neither of the two.
    assert tables.at("fn", "activation", "relu") is None
