"""The key of an environment is over all that decides what is in it, and over nothing else."""

from __future__ import annotations

import dataclasses
import itertools
import os
import platform
from pathlib import Path
from typing import Any

import pytest

from capsule.rebuild.installers import INSTALLERS
from capsule.rebuild.options import Backend
from capsule.rebuild.pins import Pins
from capsule.rebuild.python_discovery import Interpreter
from capsule.rebuild.recipe import Recipe
from capsule.rebuild.sources import Sources

PYTHON = Interpreter(Path("/opt/python"), "3.11.7", True)
PINS = Pins(
    ("six==1.17.0", "numpy==2.4.6"),
    {"six": "1.17.0", "numpy": "2.4.6"},
    hashes={"six": ("b" * 64, "a" * 64), "numpy": ("c" * 64,)},
)
INDEX = "https://index.example/simple"


@pytest.fixture(autouse=True)
def no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("UV_", "PIP_")):
            monkeypatch.delenv(name)


def key(
    python: Interpreter = PYTHON,
    pins: Pins = PINS,
    backend: Backend = "uv",
    build: bool = False,
    sources: Sources | None = None,
) -> str:
    return Recipe(python, pins, INSTALLERS[backend](sources or Sources()), build).key


def pins(**changes: Any) -> Pins:
    return dataclasses.replace(PINS, **changes)


def keys_of_ingredients(folder: Path) -> dict[str, str]:
    """Return a key for each thing that decides what is in an environment, changed alone."""
    for name in ("first", "second"):
        (folder / name).write_text(name)
    other_hashes = {**PINS.hashes, "numpy": ("d" * 64,)}
    ingredients: dict[str, Any] = {
        "nothing": {},
        "the Python": {"python": dataclasses.replace(PYTHON, path=Path("/usr/python"))},
        "its patch": {"python": dataclasses.replace(PYTHON, version="3.11.8")},
        "a version": {"pins": pins(requirements=("six==1.16.0", "numpy==2.4.6"))},
        "a distribution more": {"pins": pins(requirements=(*PINS.requirements, "h5py==3"))},
        "a distribution less": {"pins": pins(requirements=PINS.requirements[:1])},
        "an address": {"pins": pins(requirements=("six @ https://host/six", "numpy==2.4.6"))},
        "a hash": {"pins": pins(hashes=other_hashes)},
        "a hash more": {"pins": pins(hashes={**PINS.hashes, "numpy": ("c" * 64, "d" * 64)})},
        "whose hash it is": {
            "pins": pins(hashes={"numpy": PINS.hashes["six"], "six": ("c" * 64,)})
        },
        "no hashes": {"pins": pins(hashes={})},
        "the installer": {"backend": "pip-tools"},
        "consent to build": {"build": True},
        "the index": {"sources": Sources(index_url=INDEX)},
        "another index": {"sources": Sources(index_url=f"{INDEX}/other")},
        "a folder of wheels": {"sources": Sources(find_links=("wheels",))},
        "another folder": {"sources": Sources(find_links=("other",))},
        "two folders": {"sources": Sources(find_links=("wheels", "other"))},
        "two folders in another order": {"sources": Sources(find_links=("other", "wheels"))},
        "no network": {"sources": Sources(offline=True)},
        "a constraint": {"sources": Sources(constraint=folder / "first")},
        "another constraint": {"sources": Sources(constraint=folder / "second")},
    }
    return {name: key(**changes) for name, changes in ingredients.items()}


def test_every_ingredient_changes_the_key(tmp_path: Path) -> None:
    keys = keys_of_ingredients(tmp_path)
    alike = [pair for pair in itertools.combinations(keys, 2) if keys[pair[0]] == keys[pair[1]]]
    assert alike == []


def test_every_part_of_the_pins_is_weighed() -> None:
    inert = {"versions", "moved", "relaxed", "left_out"}  # they tell of requirements, and pin none
    assert {field.name for field in dataclasses.fields(Pins)} == {"requirements", "hashes"} | inert


@pytest.mark.parametrize(
    "changes",
    [
        {"pins": pins(requirements=PINS.requirements[::-1])},
        {"pins": pins(hashes=dict(reversed(PINS.hashes.items())))},
        {"pins": pins(hashes={**PINS.hashes, "six": PINS.hashes["six"][::-1]})},
        {"pins": pins(versions={"numpy": "2.4.6", "six": "1.17.0"})},
        {"pins": pins(moved=("six",), relaxed={"six": "1.16.0"}, left_out=("mine",))},
        {"python": dataclasses.replace(PYTHON, exact=False)},
        {"sources": Sources()},
    ],
    ids=[
        "order of pins",
        "order of names",
        "order of hashes",
        "versions",
        "notes",
        "exact",
        "none",
    ],
)
def test_what_installs_the_same_has_the_same_key(changes: dict[str, Any]) -> None:
    assert key(**changes) == key()


def test_an_address_with_a_secret_has_the_key_of_one_without() -> None:
    with_secret = Sources(index_url="https://user:secret@index.example/simple")
    assert key(sources=with_secret) == key(sources=Sources(index_url=INDEX))


def test_a_constraint_counts_by_what_it_says_and_not_by_where_it_lies(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).write_text("six<2\n")
    here, there = (Sources(constraint=tmp_path / name) for name in ("here", "there"))
    assert key(sources=here) == key(sources=there)


@pytest.mark.parametrize(
    ("variable", "decides"),
    [
        ("UV_INDEX_URL", True),
        ("UV_DEFAULT_INDEX", True),
        ("UV_EXTRA_INDEX_URL", True),
        ("UV_FIND_LINKS", True),
        ("UV_NO_INDEX", True),
        ("PIP_INDEX_URL", True),
        ("PIP_EXTRA_INDEX_URL", True),
        ("PIP_FIND_LINKS", True),
        ("UV_CACHE_DIR", False),
        ("PIP_CACHE_DIR", False),
        ("UV_HTTP_TIMEOUT", False),
        ("NPM_INDEX_URL", False),
        ("HOME", False),
    ],
)
def test_where_the_installer_was_told_to_look_decides(
    variable: str, decides: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = key()
    monkeypatch.setenv(variable, INDEX)
    first = key()
    monkeypatch.setenv(variable, f"{INDEX}/other")
    assert (first != before) is decides
    assert (key() != first) is decides


@pytest.mark.parametrize(("name", "value"), [("system", "Plan9"), ("machine", "vax")])
def test_the_machine_decides(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = key()
    monkeypatch.setattr(platform, name, lambda: value)
    assert key() != before


def test_a_key_is_a_name_for_a_folder() -> None:
    assert len(key()) == 20
    assert set(key()) <= set("0123456789abcdef")
