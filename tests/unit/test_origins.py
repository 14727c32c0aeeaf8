"""Whose code a module is, and by which name what is nobody's own can be imported again."""

from __future__ import annotations

import collections
import importlib
import json
import math
import os.path
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capsule.capture.origins import Origin, Origins
from capsule.environment import live_environment
from tests.toy_keras import Lambda


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project's folder with a virtual environment in it; what is imported of it goes again."""
    before = set(sys.modules)
    site = tmp_path / ".venv" / "lib" / "python3" / "site-packages"
    site.mkdir(parents=True)
    monkeypatch.syspath_prepend(site)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def installed(project: Path, distribution: str, *files: str, record: bool = True) -> None:
    """Lay down a distribution with those files."""
    site = next(project.glob(".venv/lib/*/site-packages"))
    for file in files:
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).write_text("def helper(x):\n    return x\n")
    info = site / f"{distribution.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {distribution}\nVersion: 1.0\n")
    if record:
        (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))


def origins(project: Path) -> Origins:
    return Origins([str(project), str(next(project.glob(".venv/lib/*/site-packages")))])


@pytest.mark.parametrize("load", [True, False], ids=["loaded", "not loaded"])
@pytest.mark.parametrize(
    ("module", "distribution", "files", "record"),
    [
        ("plain_one", "plain-one", ["plain_one/__init__.py"], True),
        ("cv9", "opencv-thing", ["cv9/__init__.py", "cv9/data.py"], True),
        ("single", "one-file", ["single.py"], True),
        ("no_record", "no-record", ["no_record/__init__.py"], False),
    ],
)
def test_what_was_installed_is_its_distributions(
    project: Path, module: str, distribution: str, files: list[str], record: bool, load: bool
) -> None:
    installed(project, "aaa-first", "aaa.py")
    installed(project, distribution, *files, record=record)
    installed(project, f"{module.replace('_', '-')}-extras", "extras.py")
    if load:
        importlib.import_module(module)
    assert origins(project).of(module) == Origin("distribution", distribution)
    assert not origins(project).is_user_code(module)


def test_a_submodule_is_its_own_distributions(project: Path) -> None:
    installed(project, "base", "shared/base.py")
    installed(project, "plugin", "shared/plugin.py")
    for name in ("shared.base", "shared.plugin"):
        importlib.import_module(name)
    found = origins(project)
    assert found.of("shared.base") == Origin("distribution", "base")
    assert found.of("shared.plugin") == Origin("distribution", "plugin")


@pytest.mark.parametrize("load", [True, False], ids=["loaded", "not loaded"])
@pytest.mark.parametrize("file", ["mine.py", "mine/__init__.py", "site_packages_mine/__init__.py"])
def test_what_lies_in_the_project_is_the_users_own(project: Path, file: str, load: bool) -> None:
    (project / file).parent.mkdir(exist_ok=True)
    (project / file).write_text("def helper(x):\n    return x\n")
    name = file.partition("/")[0].partition(".")[0]
    if load:
        module = importlib.import_module(name)
        assert origins(project).is_users(module.helper)
    assert origins(project).of(name) == Origin("local")
    assert origins(project).is_user_code(name)


@pytest.mark.parametrize(
    "name",
    ["math", "json", "json.decoder", "os.path", "sys", "_ctypes", "sqlite3", "builtins", "time"],
)
def test_the_standard_library_is_pythons(project: Path, name: str) -> None:
    found = origins(project)
    assert found.of(name) == Origin("stdlib")
    assert not found.is_user_code(name)


def test_a_module_of_the_users_is_theirs_though_python_has_one_of_that_name(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "queue.py").write_text("")
    monkeypatch.delitem(sys.modules, "queue", raising=False)
    importlib.invalidate_caches()
    importlib.import_module("queue")
    assert origins(project).of("queue") == Origin("local")


def test_the_script_is_the_users_and_what_is_nowhere_is_missing(project: Path) -> None:
    found = origins(project)
    assert found.of("__main__") == Origin("main")
    assert found.of("no_such_module_anywhere") == Origin("missing")
    assert found.of("no_such.module.anywhere") == Origin("missing")
    for name in ("__main__", "no_such_module_anywhere", None):
        assert found.is_user_code(name)


def test_a_module_without_a_file_is_whosevers_has_its_name(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(project, "made-by-exec", "other.py")
    for name in ("made_by_exec", "made_by_exec.inner", "made_by_nobody"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    found = origins(project)
    assert found.of("made_by_exec") == Origin("distribution", "made-by-exec")
    assert found.of("made_by_exec.inner") == Origin("distribution", "made-by-exec")
    assert found.of("made_by_nobody") == Origin("local")


def test_what_a_library_lends_a_users_name_stays_the_librarys(project: Path) -> None:
    installed(project, "decorators", "decorators.py")
    library = importlib.import_module("decorators")
    library.helper.__module__ = "mine"
    (project / "mine.py").write_text("")
    importlib.import_module("mine")
    found = origins(project)
    assert found.is_user_code("mine")
    assert not found.is_users(library.helper)
    assert found.is_users(test_the_script_is_the_users_and_what_is_nowhere_is_missing)
    assert not Origins(live_environment().paths).is_users(json.dumps)
    assert not Origins(live_environment().paths).is_users(collections.OrderedDict)


class Liar:
    """It says that it is something else."""

    __module__ = "math"
    __qualname__ = "floor"

    def __call__(self, x: Any) -> Any:
        return x


# (what a function uses, and the module and the name in it by which it is imported again)
PLACES: list[tuple[Any, str, str | None]] = [
    (np.sqrt, "numpy", "sqrt"),
    (np.float32, "numpy", "float32"),
    (np.linalg.norm, "numpy.linalg", "norm"),
    (math.floor, "math", "floor"),
    (os.path.join, os.path.__name__, "join"),
    (collections.OrderedDict, "collections", "OrderedDict"),
    (len, "builtins", "len"),
    (np, "numpy", None),
    (np.linalg, "numpy.linalg", None),
    (os.path, os.path.__name__, None),
]


@pytest.mark.parametrize(
    ("value", "module", "name"), PLACES, ids=[f"{row[1]} {row[2]}" for row in PLACES]
)
def test_a_thing_of_a_library_is_imported_again_by_its_public_name(
    save: Callable[..., Any],
    value: Any,
    module: str,
    name: str | None,
) -> None:
    scope = {"__name__": "__main__", "thing": value}
    saved = save(Lambda(eval("lambda x: thing(x)", scope)))
    (node,) = [node for node in saved.manifest.nodes.values() if node.kind == "lambda"]
    binding = next(binding for binding in node.names if binding.name == "thing")
    assert (binding.to, binding.attribute) == (module, name)


def test_a_name_that_leads_to_something_else_is_not_believed(
    save: Callable[..., Any],
) -> None:
    liar = Liar()
    liar.__dict__["__qualname__"] = "floor"
    saved = save(Lambda(eval("lambda x: thing(x)", {"__name__": "__main__", "thing": liar})))
    bindings = [b for node in saved.manifest.nodes.values() for b in node.names]
    assert ("math", "floor") not in [(b.to, b.attribute) for b in bindings]
