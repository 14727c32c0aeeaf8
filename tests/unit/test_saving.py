"""The hook around a save: a sidecar for what was written, and never any harm to the save itself."""

from __future__ import annotations

import importlib
import io
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import capsule
from tests import toy_keras


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    yield toy_keras.install(monkeypatch)
    capsule.unhook()


def model(function: Any = None, **attributes: Any) -> Any:
    return toy_keras.Model(toy_keras.Lambda(function or (lambda x: x)), **attributes)


def sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".capsule.json")


class Reports(list[Any]):
    """What was reported of each save."""

    def hook(self, **options: Any) -> None:
        capsule.hook(**{"probe": False, **options}, report=self.append)

    def hooked(self, **options: Any) -> Any:
        return capsule.hooked(**{"probe": False, **options}, report=self.append)


def test_a_save_has_its_sidecar_and_its_own_result(writer: Any, tmp_path: Path) -> None:
    reports = Reports()
    reports.hook()
    path = tmp_path / "m.keras"
    assert writer.save_model(model(), str(path)) == "what Keras returns"
    assert sidecar(path).exists()
    (saved,) = reports
    assert (saved.artifact, saved.skipped, saved.error) == (str(path), None, None)
    assert saved.manifest.artifact.name == "m.keras"
    assert capsule.verify(path, python=sys.executable).manifest == saved.manifest


@pytest.mark.parametrize("before", [False, True], ids=["no file before", "a file before"])
def test_a_save_that_wrote_nothing_writes_no_sidecar(
    writer: Any, tmp_path: Path, before: bool
) -> None:
    path = tmp_path / "m.keras"
    if before:
        model().save(path)
    reports = Reports()
    with reports.hooked():
        model().save(path, nothing=True)
    assert [(saved.skipped, saved.manifest) for saved in reports] == [("nothing was written", None)]
    assert not sidecar(path).exists()


def test_a_file_written_anew_has_its_sidecar_written_anew(writer: Any, tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    with Reports().hooked():
        model().save(path)
        first = sidecar(path).read_text()
        model(lambda x: x * 2).save(path)
    assert sidecar(path).read_text() != first


def test_a_save_that_fails_fails_as_ever_and_writes_no_sidecar(writer: Any, tmp_path: Path) -> None:
    reports = Reports()
    with reports.hooked(), pytest.raises(OSError, match="the disk is gone"):
        model().save(tmp_path / "m.keras", fail=True)
    assert not sidecar(tmp_path / "m.keras").exists()
    assert reports == []
    with reports.hooked():  # the next one is captured as if nothing had been
        model().save(tmp_path / "m.keras")
    assert [saved.error for saved in reports] == [None]


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("gs://bucket/m.keras", "not on this machine"),
        ("s3://bucket/m.keras", "not on this machine"),
        (io.BytesIO(), "not a path"),
    ],
    ids=["gs", "s3", "stream"],
)
def test_what_is_no_file_here_is_told_and_left_alone(
    writer: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: Any, why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(writer, "save_model", lambda model, filepath: None)
    reports = Reports()
    with reports.hooked():
        model().save(place)
    (saved,) = reports
    assert why in saved.skipped
    assert list(tmp_path.iterdir()) == []


def test_a_capture_that_fails_harms_no_save(writer: Any, tmp_path: Path) -> None:
    sidecar(tmp_path / "m.keras").mkdir()  # which can't be written as a file
    reports = Reports()
    with reports.hooked():
        model().save(tmp_path / "m.keras")
    (saved,) = reports
    assert saved.error is not None
    assert (tmp_path / "m.keras").exists()
    with reports.hooked(strict=True), pytest.raises(type(saved.error)):
        model().save(tmp_path / "m.keras")


class Odd(toy_keras.Layer):
    """A layer of the user's whose configuration raises."""

    def get_config(self) -> dict[str, Any]:
        raise RuntimeError("no configuration")

    def entry(self) -> dict[str, Any]:
        return {"class_name": "Odd", "config": {"name": self.name}}


def test_one_odd_object_costs_only_itself(writer: Any, tmp_path: Path) -> None:
    odd = toy_keras.Model(Odd("odd"), toy_keras.Lambda(lambda x: x * 7))
    reports = Reports()
    with reports.hooked():
        odd.save(tmp_path / "m.keras")
    (saved,) = reports
    assert any("no configuration" in problem for problem in saved.manifest.problems)
    assert "lambda x: x * 7" in sidecar(tmp_path / "m.keras").read_text()
    with reports.hooked(strict=True), pytest.raises(RuntimeError, match="no configuration"):
        odd.save(tmp_path / "m.keras")
    assert (tmp_path / "m.keras").exists()


def test_unhooked_everything_is_as_it_was(writer: Any, tmp_path: Path) -> None:
    originals = dict(vars(writer))
    finders = list(sys.meta_path)
    reports = Reports()
    reports.hook()
    assert writer.save_model is not originals["save_model"]
    assert writer.save_model.__name__ == "save_model"
    reports.hook()  # twice is once
    capsule.unhook()
    assert dict(vars(writer)) == originals
    assert sys.meta_path == finders
    model().save(tmp_path / "m.keras")
    assert reports == []


def test_a_block_inside_a_hook_has_its_own_options_and_gives_them_back(
    writer: Any, tmp_path: Path
) -> None:
    outer, inner = Reports(), Reports()
    outer.hook()
    with inner.hooked(source=False):
        model().save(tmp_path / "inner.keras")
        with pytest.raises(RuntimeError), outer.hooked():
            raise RuntimeError
        model().save(tmp_path / "inner_still.keras")
    model().save(tmp_path / "outer.keras")
    assert [len(inner), len(outer)] == [2, 1]
    capsule.unhook()
    model().save(tmp_path / "after.keras")
    assert [len(inner), len(outer)] == [2, 1]


def test_unhook_within_a_block_leaves_the_block_its_hook(writer: Any, tmp_path: Path) -> None:
    reports = Reports()
    with reports.hooked():
        capsule.unhook()
        model().save(tmp_path / "m.keras")
    assert len(reports) == 1
    model().save(tmp_path / "after.keras")
    assert len(reports) == 1


def test_a_block_is_its_threads_own_and_a_hook_is_everybodys(writer: Any, tmp_path: Path) -> None:
    def elsewhere(name: str) -> None:
        thread = threading.Thread(target=model().save, args=(tmp_path / name,))
        thread.start()
        thread.join()

    block, hook = Reports(), Reports()
    with block.hooked():
        elsewhere("unhooked.keras")
    assert block == []
    hook.hook()
    with block.hooked():
        elsewhere("hooked.keras")
    assert [len(block), len(hook)] == [0, 1]


def test_a_writer_that_calls_another_is_one_save(writer: Any, tmp_path: Path) -> None:
    reports = Reports()
    with reports.hooked():
        outer = sys.modules["keras.src.legacy.saving.legacy_h5_format"]
        outer.save_model_to_hdf5(model(), tmp_path / "m.keras")
    assert [saved.artifact for saved in reports] == [str(tmp_path / "m.keras")]


def test_a_checkpoint_takes_no_probe_and_a_save_after_it_does(writer: Any, tmp_path: Path) -> None:
    reports = Reports()
    with reports.hooked(probe=True):
        checkpoint = sys.modules["keras.src.callbacks"].ModelCheckpoint(tmp_path / "c.keras")
        checkpoint._save_model(model())
        model().save(tmp_path / "m.keras")
    first, second = (saved.manifest.probe.skipped for saved in reports)
    assert first == "not taken inside ModelCheckpoint"
    assert second != first


def test_weights_alone_are_told_once(writer: Any, tmp_path: Path) -> None:
    reports = Reports()
    with reports.hooked():
        for _ in range(2):
            writer.save_weights_only(model(), tmp_path / "m.weights.h5")
    (saved,) = reports
    assert saved.skipped == "it holds weights alone"
    assert (tmp_path / "m.weights.h5").read_bytes() == b"weights"
    assert not sidecar(tmp_path / "m.weights.h5").exists()


def test_a_keras_that_is_imported_later_is_hooked_as_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "keras" / "src" / "saving"
    folder.mkdir(parents=True)
    for package in (tmp_path / "keras", tmp_path / "keras" / "src", folder):
        (package / "__init__.py").touch()
    (folder / "saving_lib.py").write_text("from tests.toy_keras import save_model\n")
    for name in [name for name in sys.modules if name.partition(".")[0] == "keras"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    Reports().hook()
    module = importlib.import_module("keras.src.saving.saving_lib")
    assert module.save_model is not toy_keras.save_model
    capsule.unhook()
    assert module.save_model is toy_keras.save_model
    for name in [name for name in sys.modules if name.partition(".")[0] == "keras"]:
        monkeypatch.delitem(sys.modules, name)


def test_save_returns_what_became_of_it(writer: Any, tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    saved = capsule.save(model(), path, probe=False)
    assert saved.manifest is not None
    assert sidecar(path).exists()
    again = capsule.save(model(), tmp_path / "other.keras", probe=False, nothing=True)
    assert again.manifest is None
    assert again.skipped == "nothing was written"
    model().save(tmp_path / "after.keras")
    assert not sidecar(tmp_path / "after.keras").exists()


def test_a_person_is_told_in_a_line_each(
    writer: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    thing = object()
    capsule.save(model(lambda x: (x, thing)), tmp_path / "m.keras", probe=False)
    capsule.save(model(), tmp_path / "c.keras", probe=False, nothing=True)
    capsule.save(model(), tmp_path / "a\nb.keras", probe=False)  # no name for a sidecar
    told = capsys.readouterr().err.splitlines()
    assert any(line.startswith("capsule: m.keras: ") and "thing" in line for line in told)
    assert any("a\\nb.keras is saved, but not captured" in line for line in told)
    assert f"capsule: no sidecar for {tmp_path / 'c.keras'}: nothing was written" in told
    assert all(line.startswith("capsule: ") for line in told)
