"""A file that was never captured: which Python and which pins it is given, from local wheels."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uv

from capsule.consent.consent import Trust
from capsule.description.custom import CustomObjects
from capsule.description.definitions import read_definitions
from capsule.description.describe import describe
from capsule.errors import InputError
from capsule.inspection import Inspection, inspect
from capsule.inspection.model import PythonRange
from capsule.keras_compat.releases import release_of
from capsule.manifest import PythonFacts
from capsule.rebuild.errors import RebuildError
from capsule.rebuild.options import ReplayOptions
from capsule.rebuild.python_discovery import Interpreter
from capsule.rebuild.release_environment import choose_python
from capsule.rebuild.resolve import Resolution, resolve
from capsule.rebuild.sources import Sources
from tests.bare import architecture, archive, keras_2_lambda, keras_3_lambda, model_of
from tests.unit.test_builds import offline
from tests.unit.test_rebuild import HERE
from tests.wheels import wheel

# A Keras that runs on this Python, with the TensorFlow of its day.
KERAS, TENSORFLOW = ("3.12.0", "2.20.0") if sys.version_info >= (3, 13) else ("3.5.0", "2.17.0")
ANOTHER = "3.11.0" if sys.version_info >= (3, 13) else "3.4.1"


@pytest.fixture
def wheels(tmp_path: Path, cache: Path) -> Sources:
    folder = tmp_path / "wheels"
    for version in (KERAS, "3.0.0"):
        wheel(folder, "keras", version)
    wheel(folder, "tensorflow-cpu", TENSORFLOW, "Absl_Py>=1", "numpy")
    wheel(folder, "absl-py", "1.4")
    wheel(folder, "numpy", "1.26.4")
    wheel(folder, "unrelated", "1.0")
    return offline(folder)


def lambda_model(tmp_path: Path, function: Any = None) -> Path:
    entry = keras_3_lambda(function or (lambda x: x * 2))
    return archive(tmp_path / "m.keras", model_of(entry), KERAS)


def resolution(
    path: Path,
    sources: Sources,
    *,
    safe_mode: bool = False,
    bind: Any = None,
    bind_from: tuple[Path, ...] = (),
    progress: Callable[[str], None] = lambda message: None,
) -> Resolution:
    custom = CustomObjects(bind=bind or {}, definitions=tuple(map(read_definitions, bind_from)))
    options = ReplayOptions(python=str(HERE.path), download="never", sources=sources)
    return resolve(describe(path, custom=custom), Trust.of(safe_mode), options, progress)


def test_its_keras_and_what_that_requires_are_pinned_as_of_its_day(
    tmp_path: Path, wheels: Sources
) -> None:
    ready = resolution(lambda_model(tmp_path), wheels)
    versions = {"absl-py": "1.4", "keras": KERAS, "numpy": "1.26.4", "tensorflow-cpu": TENSORFLOW}
    assert ready.pins.versions == versions
    assert list(ready.pins.requirements) == [f"{name}=={v}" for name, v in versions.items()]
    installed = {each.name: each.version for each in ready.manifest.distributions or ()}
    assert installed == versions
    assert ready.python.version == HERE.version
    assert ready.manifest.python.version == HERE.version
    assert ("python", HERE.version) in [(k.subject, k.value) for k in ready.manifest.evidence]


def test_the_index_is_asked_for_what_it_had_some_weeks_after_its_release(
    tmp_path: Path, wheels: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, wrapper = tmp_path / "commands", tmp_path / "uv-and-log"
    wrapper.write_text(f'#!/bin/sh\necho "$@" >> {log}\nexec {uv.find_uv_bin()} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setattr(uv, "find_uv_bin", lambda: str(wrapper))
    resolution(lambda_model(tmp_path), wheels)
    release = release_of(KERAS)
    assert release is not None
    (command,) = [line for line in log.read_text().splitlines() if "pip compile" in line]
    assert f"--exclude-newer {release.date}" in command
    assert "--no-index" in command


def test_what_was_resolved_is_kept_for_those_who_ask_for_the_same(
    tmp_path: Path, wheels: Sources
) -> None:
    messages: list[str] = []
    path = lambda_model(tmp_path)
    release = release_of(KERAS)
    assert release is not None

    def pins(path: Path = path, sources: Sources = wheels, safe_mode: bool = False) -> Any:
        asked = {"sources": sources, "safe_mode": safe_mode, "progress": messages.append}
        return resolution(path, **asked).pins

    first = pins()
    assert pins() == first
    assert len(messages) == 1
    assert f"keras=={KERAS}" in messages[0]
    assert str(release.date) in messages[0]
    folders = (*wheels.find_links, str(tmp_path))
    other = archive(tmp_path / "o.keras", model_of(keras_3_lambda(lambda x: x)), ANOTHER)
    for asked in (
        {"safe_mode": True},
        {"sources": Sources(find_links=folders, offline=True)},
        {"path": other},
    ):
        before = len(messages)
        with contextlib.suppress(RebuildError):
            pins(**asked)  # type: ignore[arg-type]
        assert len(messages) == before + 1, asked


def test_what_has_no_wheel_is_a_matter_of_consent_without_and_of_itself_with_it(
    tmp_path: Path, wheels: Sources
) -> None:
    (next(Path(wheels.find_links[0]).glob("absl_py-*"))).unlink()
    with pytest.raises(RebuildError, match="allow it with --unsafe"):
        resolution(lambda_model(tmp_path), wheels, safe_mode=True)
    with pytest.raises(RebuildError) as caught:
        resolution(lambda_model(tmp_path), wheels)
    assert "--unsafe" not in caught.value.message


def test_names_that_nobody_gave_are_told_and_those_given_are_not(
    tmp_path: Path, wheels: Sources
) -> None:
    path = lambda_model(tmp_path, lambda x: x * rate + shift)  # type: ignore[name-defined] # noqa: F821
    assert resolution(path, wheels).missing == ("rate", "shift")
    assert resolution(path, wheels, bind={"rate": 2.0}).missing == ("shift",)
    (tmp_path / "script.py").write_text("shift = 3.0\n")
    assert resolution(path, wheels, bind_from=(tmp_path / "script.py",)).missing == ("rate",)
    with pytest.raises(InputError, match="only plain values reach another process"):
        resolution(path, wheels, bind={"rate": object()})


def test_classes_that_nobody_gave_are_told(tmp_path: Path, wheels: Sources) -> None:
    entry = {
        "module": "train",
        "class_name": "Mine",
        "registered_name": "Mine",
        "config": {"name": "mine"},
    }
    path = archive(tmp_path / "m.keras", model_of(entry), KERAS)
    assert resolution(path, wheels).missing == ("train.Mine",)
    (tmp_path / "train.py").write_text("class Mine:\n    pass\n")
    assert resolution(path, wheels, bind_from=(tmp_path / "train.py",)).missing == ()


@pytest.mark.parametrize("version", ["9.x", "2.99.0", "3.5.0; os_name"])
def test_a_file_of_an_unknown_keras_has_no_environment(
    tmp_path: Path, wheels: Sources, version: str
) -> None:
    path = architecture(tmp_path / "m.json", model_of(), version)
    with pytest.raises(RebuildError, match="does not tell which Keras wrote it"):
        resolution(path, wheels)


@pytest.fixture
def inspection(tmp_path: Path) -> Inspection:
    """A file with a lambda, whose Pythons and source each test says."""
    path = architecture(tmp_path / "m.json", model_of(keras_2_lambda(lambda x: x * 2)))
    return inspect(path, isolated=False)


RELEASE = release_of("2.8.0")  # which ran on 3.7 to 3.10
Here = Callable[..., None]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Here:
    """Give a function that says which Pythons are on this machine, and which can be had."""

    def only(*minors: str, downloads: tuple[str, ...] = ()) -> None:
        def find(wanted: PythonFacts, named: Any = None, *, download: str) -> Interpreter:
            if wanted.minor in (minors if download == "never" else (*minors, *downloads)):
                return Interpreter(Path(named or "python"), f"{wanted.minor}.1", False)
            raise RebuildError("not here", code="python-missing")

        monkeypatch.setattr(sys.modules[choose_python.__module__], "find_python", find)

    return only


# (lowest and highest that may have written it, whether all is from source, here, the one chosen)
CHOICES = [
    (("3.7", "3.7"), True, ("3.7", "3.8", "3.10"), "3.7"),
    (("3.7", "3.8"), True, ("3.7", "3.8", "3.10"), "3.8"),
    (("3.6", "3.7"), True, ("3.6", "3.8", "3.9"), "3.9"),  # 3.6 wrote it; Keras 2.8 has left it
    (("3.11", "3.13"), True, ("3.11", "3.9"), "3.9"),
    ((None, None), True, ("3.7", "3.10", "3.12"), "3.10"),
    (("3.8", "3.9"), False, ("3.8", "3.10"), "3.8"),
    (("3.7", "3.7"), False, ("3.8", "3.10"), None),
    (("3.7", "3.7"), True, ("3.12", "3.13"), None),
]


@pytest.mark.parametrize(("pythons", "from_source", "minors", "chosen"), CHOICES)
def test_the_python_that_wrote_it_comes_first_and_another_only_for_source(
    inspection: Inspection, here: Here, pythons: Any, from_source: bool, minors: Any, chosen: Any
) -> None:
    here(*minors)
    (read,) = inspection.functions
    read = read if from_source else replace(read, source=None, stopped="it is odd")
    asked = replace(inspection, python=PythonRange(*pythons), functions=(read,))
    assert RELEASE is not None
    if chosen is not None:
        assert choose_python(asked, RELEASE).version == f"{chosen}.1"
        return
    with pytest.raises(RebuildError, match=r"Keras 2\.8\.0 runs on Python 3\.7 to 3\.10") as caught:
        choose_python(asked, RELEASE)
    assert caught.value.code == "python-missing"


def test_what_runs_only_where_its_keras_does_not_has_no_environment(
    inspection: Inspection, here: Here
) -> None:
    here("3.6", "3.7", "3.8", "3.9", "3.10")
    (read,) = inspection.functions
    asked = replace(
        inspection,
        python=PythonRange("3.6", "3.6"),
        functions=(replace(read, source=None, stopped="it is odd"),),
    )
    assert RELEASE is not None
    with pytest.raises(RebuildError, match=r"lam runs only on Python 3\.6.*\(it is odd\)"):
        choose_python(asked, RELEASE)


def test_what_is_here_comes_before_what_would_be_downloaded(
    inspection: Inspection, here: Here
) -> None:
    here("3.8", downloads=("3.7", "3.10"))
    assert RELEASE is not None
    asked = replace(inspection, python=PythonRange("3.7", "3.7"))
    assert choose_python(asked, RELEASE, download="auto").version == "3.8.1"
    here(downloads=("3.7",))
    assert choose_python(asked, RELEASE, download="auto").version == "3.7.1"
    with pytest.raises(RebuildError, match=r"uv python install 3\.7"):
        choose_python(asked, RELEASE)
    with pytest.raises(RebuildError, match=r"^mine is not Python 3\.7 to 3\.10"):
        choose_python(asked, RELEASE, "mine")
