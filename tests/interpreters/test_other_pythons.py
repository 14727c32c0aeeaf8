"""The guest lives under every Python from 3.6 on, and computes there what it computes here."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capsule.capture.context import make_context
from capsule.capture.graph import ImportGraph
from capsule.capture.options import SaveOptions
from capsule.capture.origins import Origins
from capsule.environment import live_environment
from capsule.environment.interpreters import of_interpreter
from capsule.errors import CapsuleError
from capsule.manifest import PythonFacts
from capsule.rebuild.python_discovery import find_python
from capsule.rebuild.session import guest_folder

PROJECT = Path(__file__).parent.parent.parent
MINORS = [f"3.{minor}" for minor in range(6, 15)]

RESTORE = """
import json, sys
sys.path.insert(0, sys.argv[1])
from capsule_guest.restore import Restorer
for line in sys.stdin:
    task = json.loads(line)
    functions = Restorer(task["nodes"]).restore(task["names"])
    print(json.dumps([functions[name](*task["arguments"]) for name in task["names"]]))
    sys.stdout.flush()
"""


@pytest.fixture(scope="module", params=MINORS)
def python(request: pytest.FixtureRequest) -> Path:
    """Each Python that is found on this machine."""
    try:
        return find_python(PythonFacts("cpython", f"{request.param}.0", 0, "")).path
    except CapsuleError:
        pytest.skip(f"no Python {request.param} on this machine")


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> str:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        folder.chmod(0o700)
        patch.setenv("CAPSULE_CACHE", str(folder))
        return str(guest_folder())


@pytest.fixture(scope="module")
def restore(python: Path, guest: str) -> Any:
    """Give a function that restores captured functions under the other Python and calls them."""
    process = subprocess.Popen(
        [str(python), "-I", "-c", RESTORE, guest],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def ask(functions: list[Callable[..., Any]], *arguments: Any) -> Any:
        graph = ImportGraph(
            make_context(Origins(live_environment().paths), Path.cwd(), SaveOptions())
        )
        names = [graph.add(function) for function in functions]
        nodes = {name: asdict(node) for name, node in graph.nodes.items()}
        print(
            json.dumps({"nodes": nodes, "names": names, "arguments": arguments}),
            file=process.stdin,
            flush=True,
        )
        return json.loads(process.stdout.readline())

    yield ask
    process.stdin.close()
    process.stdout.close()
    process.wait()


SCALE = 3


def helper(x: int) -> int:
    return x * SCALE


def chained(x: int, k: int = 4, *, shift: int = 5) -> int:
    """Docstring."""
    import math

    return helper(x) * k + shift + math.floor(2.5)


def even(n: int) -> bool:
    return n == 0 or odd(n - 1)


def odd(n: int) -> bool:
    return n != 0 and even(n - 1)


def closed(n: int) -> Callable[[int], int]:
    def inner(x: int) -> int:
        return x + n if x > 5 else inner(x + 1)

    return inner


def test_functions_of_every_kind_compute_the_same_there(restore: Any) -> None:
    functions = [
        lambda x: x * 2,
        helper,
        chained,
        even,
        closed(7),
        lambda x: [i * x for i in range(3) if i != 1],
        lambda x: (lambda y: y * SCALE)(x) + 1,
    ]
    assert restore(functions, 4) == json.loads(json.dumps([f(4) for f in functions]))


def test_the_collector_tells_version_and_magic(python: Path) -> None:
    environment = of_interpreter(python)
    assert environment.python.implementation == "cpython"
    said = subprocess.run(
        [
            str(python),
            "-c",
            "import sys, importlib.util as u;"
            "print('%d.%d.%d' % sys.version_info[:3], int.from_bytes(u.MAGIC_NUMBER[:2], 'little'))",
        ],
        capture_output=True,
        text=True,
    )
    version, magic = said.stdout.split()
    assert environment.python.version.startswith(version)
    assert environment.python.magic == int(magic)


def test_a_python_2_is_told_as_such() -> None:
    from capsule.rebuild.python_discovery import installed_pythons

    old = [path for version, path in installed_pythons() if (version or "").startswith("2.7")]
    if not old:
        pytest.skip("no Python 2.7 on this machine")
    with pytest.raises(CapsuleError, match=r"is no Python of 3\.6 or later"):
        of_interpreter(old[0])


SOURCES = '''
import math as np
def custom_activation(x):
    return np.floor(x)
def outer(n):
    f = lambda x: x*n
    g, h = lambda x: x+1, lambda x: (x,
        "a # text")
    def deep(y, k=3, *, z: int=4) -> int:
        """doc
  strange"""
        return [i*n for i in range(y)] and deep(y-1) and (lambda q: q+n)(k)
    return f, g, h, deep
from capsule.capture.source import SourceFinder
from capsule.bytecode import adapt, names_used
finder = SourceFinder()
for function in [custom_activation, *outer(3)]:
    found = finder.find(function)
    uses = names_used(adapt(function.__code__))
    print([found.text, found.line, sorted(uses.globals.items()), sorted(uses.free)])
'''


def test_capture_finds_the_same_source_and_names_under_every_supported_python(
    python: Path, tmp_path: Path
) -> None:
    if of_interpreter(python).python.minor in ("3.6", "3.7", "3.8"):
        pytest.skip("capsule itself runs on 3.9 and later; only its guest is older")
    script = tmp_path / "sources.py"
    script.write_text(SOURCES)

    def said(interpreter: str) -> str:
        done = subprocess.run(
            [interpreter, str(script)],
            capture_output=True,
            text=True,
            env={"PYTHONPATH": str(PROJECT)},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert said(str(python)) == said(sys.executable)
    assert "None" not in said(str(python))


numbers = st.integers(-5, 5)
leaves = st.sampled_from(["x", "n", "k", "SCALE", "helper(x)"]) | numbers.map(lambda n: f"({n})")
expressions = st.recursive(
    leaves,
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*"]), inner)
        | st.builds("({} if {} > {} else {})".format, inner, inner, inner, inner)
        | st.builds("(lambda y: y + {})({})".format, inner, inner)
        | st.builds("sum([i * {} for i in range(3) if i != {}])".format, inner, numbers)
        | st.builds("[{}, {}][{} % 2]".format, inner, inner, inner)
    ),
    max_leaves=8,
)


@given(expressions, numbers, numbers, numbers)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_generated_functions_compute_the_same_there(
    restore: Any, tmp_path_factory: pytest.TempPathFactory, expression: str, n: int, k: int, x: int
) -> None:
    path = tmp_path_factory.mktemp("generated") / "generated.py"
    path.write_text(
        f"SCALE = {SCALE}\ndef helper(x):\n    return x * SCALE\n"
        f"def make(n):\n    return lambda x, k={k}: {expression}\n"
        f"def defined(x, n={n}, k={k}):\n    result = {expression}\n    return result\n"
    )
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(path.read_text(), str(path), "exec"), scope)
    functions = [scope["make"](n), scope["defined"]]
    assert restore(functions, x) == [function(x) for function in functions]
