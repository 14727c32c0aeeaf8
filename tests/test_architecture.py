"""The walls of the house, as tests."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import json
import pkgutil
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import capsule

ROOT = Path(capsule.__file__).parent
MODULES = sorted(
    name
    for _, name, _ in pkgutil.walk_packages([str(ROOT)], "capsule.")
    if name != "capsule.__main__"
)
HEAVY = {"tensorflow", "keras", "tf_keras", "numpy", "h5py", "pyfive", "typer", "rich", "click"}


def test_layers_are_kept() -> None:
    script = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [str(script), "--no-cache"], cwd=ROOT.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


# One process imports them all, each after it has forgotten what it had of capsule.
IMPORT_EACH = """
import importlib, json, sys, traceback
sys.path.insert(0, sys.argv[1])
errors = {}
for name in sys.argv[2:]:
    for loaded in [m for m in sys.modules if m.partition(".")[0] == "capsule"]:
        del sys.modules[loaded]
    try:
        importlib.import_module(name)
    except Exception:
        errors[name] = traceback.format_exc()
print(json.dumps(errors))
"""


def test_each_module_imports_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-c", IMPORT_EACH, str(ROOT.parent), *MODULES],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    errors = json.loads(done.stdout)
    assert not errors, "\n".join(f"{name}: {error}" for name, error in errors.items())


def loaded_after(code: str) -> set[str]:
    """Return the top-level modules that a fresh process has loaded after *code*."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules, file=sys.stderr)"],
        capture_output=True,
        text=True,
    )
    return {name.split(".")[0] for name in done.stderr.split()}


def test_importing_capsule_imports_nothing_heavy() -> None:
    assert not HEAVY & loaded_after("import capsule; capsule.__version__")


def test_public_functions_are_reached_twice_and_no_module_hides_them() -> None:
    for name in capsule.__all__:
        first = getattr(capsule, name)
        importlib.import_module("capsule.rebuild.replaying")
        importlib.import_module("capsule.capture.save_hook")
        assert getattr(capsule, name) is first
        assert f"capsule.{name}" not in MODULES


def is_standard(module: str) -> bool:
    """Tell whether *module* is of the standard library: by its place, which 3.9 knows as well."""
    if module in sys.builtin_module_names:
        return True
    spec = importlib.util.find_spec(module)
    origin = Path(spec.origin or "") if spec is not None else Path()
    return str(origin) == "frozen" or (
        Path(sysconfig.get_path("stdlib")) in origin.parents and "site-packages" not in origin.parts
    )


@pytest.mark.parametrize("path", sorted((ROOT / "guest").glob("*.py")), ids=lambda p: p.name)
def test_guest_parses_on_python_3_6_and_imports_only_itself(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 6))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.module != "__future__"
            top = (node.module or "").split(".")[0]
            assert node.level == 1 or is_standard(top)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                assert top == "numpy" or is_standard(top)


def test_modules_stay_small() -> None:
    for path in ROOT.rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 400, path


def test_modules_of_capture_import_each_other_in_one_direction() -> None:
    room = ROOT / "capture"
    imports = {}
    for path in room.glob("*.py"):
        # Wherever they stand, in a function or for type checkers alone.
        nodes = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom)]
        named = {f"{n.module}.{alias.name}" for n in nodes for alias in n.names}
        modules = {name.split(".")[2] for name in named if name.startswith("capsule.capture.")}
        imports[path.stem] = modules & {inner.stem for inner in room.glob("*.py")}
    while imports:
        leaves = {name for name, others in imports.items() if not others & imports.keys()}
        assert leaves, f"a circle among {sorted(imports)}"
        imports = {name: others for name, others in imports.items() if name not in leaves}


def test_no_module_of_capture_bears_the_name_of_a_public_function() -> None:
    names = {path.stem for path in (ROOT / "capture").glob("*.py")}
    assert not names & set(capsule.__all__)


@pytest.mark.parametrize("verb", ["hook", "hooked", "save"])
def test_a_verb_of_capture_documents_every_parameter(verb: str) -> None:
    function = getattr(capsule, verb)
    text = function.__doc__.partition("Parameters\n")[2]
    for name in inspect.signature(function).parameters:
        assert re.search(rf"^ +(\w+, )*\**{name}\b", text, re.M), name


def test_typer_lives_in_the_command_line_alone() -> None:
    for path in ROOT.rglob("*.py"):
        if path.parent.name != "cli":
            assert "import typer" not in path.read_text(), path


def imports_of(path: Path) -> set[str]:
    """Return the modules of capsule that *path* imports anywhere, for type checkers too."""
    package = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
    parents = package.removesuffix(".__init__").split(".")
    if path.name != "__init__.py":
        parents = parents[:-1]
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = parents[: len(parents) + 1 - node.level] if node.level else []
            module = ".".join([*above, *filter(None, [node.module])])
            names.update({module, *(f"{module}.{alias.name}" for alias in node.names)})
    return {name for name in names if name in MODULES}


def test_no_modules_import_in_a_circle() -> None:
    """Not for type checkers, nor inside of functions."""
    graph: dict[str, set[str]] = {}
    for name in MODULES:
        path = ROOT.parent.joinpath(*name.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        # Whoever imports a module runs its package's __init__ as well; that is no circle.
        graph[name] = {o for o in imports_of(path) if not f"{name}.".startswith(f"{o}.")}
    while True:
        leaves = {name for name, others in graph.items() if not others & graph.keys()}
        if not leaves:
            break
        graph = {name: others for name, others in graph.items() if name not in leaves}
    circle = {name: sorted(others & graph.keys()) for name, others in graph.items()}
    assert not circle, circle


VERBS = [name for name in capsule.__all__ if inspect.isfunction(getattr(capsule, name))]


@pytest.mark.parametrize("name", VERBS)
def test_a_public_verb_names_each_parameter(name: str) -> None:
    verb = getattr(capsule, name)
    documentation = inspect.getdoc(verb) or ""
    _, _, sections = documentation.partition("Parameters\n----------\n")
    for parameter in inspect.signature(verb).parameters:
        assert re.search(rf"^(\S+, )*\**{parameter}(, \S+)*$", sections, re.M), parameter
