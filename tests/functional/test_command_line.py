"""The command: bad input gets one sentence and a documented status, and nothing is lost."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Installed

Samples = Callable[[Installed], Path]


@pytest.fixture
def model(keras3: Installed, samples: Samples, tmp_path: Path) -> Path:
    """A model and its sidecar, free to be damaged."""
    for name in ("doubling.keras", "doubling.keras.capsule.json"):
        shutil.copy(samples(keras3) / name, tmp_path / name)
    return tmp_path / "doubling.keras"


def sidecar(model: Path) -> Path:
    return model.with_name(f"{model.name}.capsule.json")


def one_sentence(done: subprocess.CompletedProcess[str], status: int, *parts: str) -> None:
    """Check that a command ended with one line on standard error that says *parts*."""
    assert done.returncode == status, done.stderr
    lines = [line for line in done.stderr.splitlines() if line]
    assert len(lines) == 1, done.stderr
    for part in parts:
        assert part in lines[0]
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("command", ["verify", "replay", "save"])
def test_a_missing_file(keras3: Installed, tmp_path: Path, command: str) -> None:
    done = keras3.capsule(command, str(tmp_path / "no.h5"))
    one_sentence(done, 2, "no.h5", "does not exist")


@pytest.mark.parametrize("command", ["verify", "replay", "save"])
@pytest.mark.parametrize("name", ["m.h5", "m.keras"])
def test_an_empty_file_and_a_folder(
    keras3: Installed, tmp_path: Path, command: str, name: str
) -> None:
    (tmp_path / name).touch()
    one_sentence(keras3.capsule(command, str(tmp_path / name)), 2, name, "is empty")
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    one_sentence(keras3.capsule(command, str(tmp_path / name)), 2, name, "is a folder")


def test_what_is_no_file_at_all(keras3: Installed, tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.h5")
    one_sentence(keras3.capsule("verify", str(tmp_path / "pipe.h5")), 2, "pipe")
    for path in (".", "/", "x" * 300 + ".h5"):
        done = keras3.capsule("verify", path, cwd=tmp_path)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1, done.stderr
    one_sentence(keras3.capsule("save", str(tmp_path)), 2, "is a folder")


@pytest.mark.parametrize("form", ["h5", "keras"])
def test_a_truncated_model(keras3: Installed, samples: Samples, tmp_path: Path, form: str) -> None:
    whole = (samples(keras3) / f"doubling.{form}").read_bytes()
    path = tmp_path / f"cut.{form}"
    path.write_bytes(whole[: len(whole) // 3])
    one_sentence(keras3.capsule("save", str(path)), 2, "damaged", path.name)
    assert not sidecar(path).exists()
    shutil.copy(samples(keras3) / f"doubling.{form}.capsule.json", sidecar(path))
    done = keras3.capsule("verify", str(path))
    assert done.returncode == 1
    described = f"is not the file that {sidecar(path).name} describes, which was doubling.{form}"
    assert described in " ".join(done.stdout.split())
    one_sentence(keras3.capsule("replay", str(path), "--unsafe"), 2, "damaged")


def test_a_model_without_a_sidecar(keras3: Installed, model: Path, cache: str) -> None:
    sidecar(model).unlink()
    done = keras3.capsule("verify", str(model))
    assert done.returncode == 2, done.stderr
    assert "has no sidecar" in done.stdout
    done = keras3.capsule("replay", str(model), CAPSULE_CACHE=cache)
    assert done.returncode == 2
    assert "lambda x: x * 2" in done.stdout
    assert "--unsafe" in done.stderr


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("not json", ["is not JSON"]),
        ("{}", ["capsule", "missing"]),
        ('{"capsule": "9.0"}', ["upgrade capsule"]),
    ],
)
def test_a_sidecar_that_is_none(
    keras3: Installed, model: Path, text: str, parts: list[str]
) -> None:
    sidecar(model).write_text(text)
    for command in ("verify", "replay"):
        one_sentence(keras3.capsule(command, str(model)), 2, sidecar(model).name, *parts)


@pytest.mark.parametrize("key", ["python", "distributions", "nodes"])
def test_a_sidecar_that_lacks_a_key(keras3: Installed, model: Path, key: str) -> None:
    data = json.loads(sidecar(model).read_text())
    del data[key]
    sidecar(model).write_text(json.dumps(data))
    one_sentence(keras3.capsule("verify", str(model)), 2, key, "missing")


def test_an_artifact_changed_after_saving(keras3: Installed, model: Path) -> None:
    with model.open("ab") as stream:
        stream.write(b"more")
    done = keras3.capsule("verify", str(model))
    assert done.returncode == 1
    assert done.stdout.count(" no ") == 3
    one_sentence(keras3.capsule("replay", str(model), "--unsafe"), 1, "has changed since")


def test_a_sidecar_of_another_artifact(keras3: Installed, samples: Samples, model: Path) -> None:
    other = samples(keras3) / "tensor_helper.keras.capsule.json"
    shutil.copy(other, sidecar(model))
    done = keras3.capsule("verify", str(model))
    assert done.returncode == 1
    assert "tensor_helper.keras" in done.stdout
    one_sentence(keras3.capsule("replay", str(model), "--unsafe"), 1, "tensor_helper.keras")
    code = f"import capsule; capsule.load({str(model)!r}, safe_mode=False)"
    assert "ArtifactChangedError" in keras3.run("-c", code, check=False).stderr


def test_an_interpreter_that_is_not_there_or_is_none(keras3: Installed, model: Path) -> None:
    for python in ("/no/such/python", "/bin/true", str(model)):
        done = keras3.capsule("verify", str(model), "--python", python)
        one_sentence(done, 2, python)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data["nodes"].update({"../../x": {"kind": "module", "names": []}}),
        lambda data: data["nodes"].update({"os": {"kind": "module", "source": "1", "names": []}}),
        lambda data: data["distributions"][0].update(name="--index-url=http://evil"),
        lambda data: data["distributions"][0].update(direct_url={"url": "https://u:p@host/x"}),
        lambda data: data["artifact"].update(name="\x1b[31mred"),
    ],
    ids=["path", "os", "option", "password", "control"],
)
def test_a_hostile_sidecar(keras3: Installed, model: Path, change: Any) -> None:
    data = json.loads(sidecar(model).read_text())
    change(data)
    sidecar(model).write_text(json.dumps(data))
    for command in (["verify"], ["replay", "--unsafe"]):
        one_sentence(keras3.capsule(*command, str(model)), 2, sidecar(model).name)


def test_control_characters_never_reach_the_terminal(keras3: Installed, model: Path) -> None:
    data = json.loads(sidecar(model).read_text())
    data["functions"][0]["where"] = ["\x1b[2Jlayer"]
    data["nodes"]["__main__:<lambda>"]["file"] = "\x1b]0;title\x07"
    sidecar(model).write_text(json.dumps(data))
    done = keras3.capsule("verify", str(model), "--verbose")
    assert "\x1b" not in done.stdout + done.stderr
    assert "\\x1b[2Jlayer" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["verify"],
        ["verify", "m.h5", "--require", "speed"],
        ["verify", "m.h5", "--format", "xml"],
        ["replay", "m.h5", "--check", "--shell"],
        ["replay", "m.h5", "--input", "x.npz"],
        ["replay", "m.h5", "--no-such-option"],
        ["save"],
        ["no-such-command"],
    ],
)
def test_bad_usage_is_status_2_without_a_traceback(keras3: Installed, words: list[str]) -> None:
    done = keras3.capsule(*words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("option", [["--scope", "some"], ["--backend", "conda"]])
def test_unknown_choices_of_replay(keras3: Installed, model: Path, option: list[str]) -> None:
    one_sentence(keras3.capsule("replay", str(model), *option), 2, option[1])


def test_of_several_models_the_worst_counts(
    keras3: Installed, samples: Samples, tmp_path: Path
) -> None:
    folder = samples(keras3)
    fits, fails = str(folder / "doubling.keras"), str(folder / "numpy_helper.keras")
    assert keras3.capsule("verify", fits, fails, "--quiet").returncode == 1
    done = keras3.capsule("verify", fits, fails, str(tmp_path / "none.h5"), "--json")
    assert done.returncode == 2
    results = json.loads(done.stdout)["results"]
    assert [r["error"] and r["error"]["code"] for r in results] == [None, None, "artifact-missing"]


def test_the_json_envelope_is_pinned(keras3: Installed, model: Path) -> None:
    data = json.loads(keras3.capsule("verify", str(model), "--json").stdout)
    assert sorted(data) == ["capsule", "command", "results"]
    (result,) = data["results"]
    assert sorted(result) == [
        "artifact",
        "environment",
        "error",
        "findings",
        "manifest",
        "verdict",
    ]
    assert sorted(result["artifact"]) == ["format", "path", "sha256", "size"]
    assert (result["artifact"]["format"], result["manifest"]) == ("keras-zip", "recorded")
    assert sorted(result["verdict"]) == ["capsule", "keras", "same"]
    for finding in result["findings"]:
        assert {
            "code",
            "severity",
            "subject",
            "expected",
            "found",
            "reach",
            "remedy",
            "decides",
        } <= set(finding)


def test_verify_imports_no_framework_and_no_reader_of_models(
    keras3: Installed, model: Path
) -> None:
    code = (
        "import sys\nfrom capsule.cli import main\n"
        f"sys.argv = ['capsule', 'verify', {str(model)!r}]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('LOADED', *sys.modules)"
    )
    loaded = {
        name.split(".")[0] for name in keras3.run("-c", code).stdout.split("LOADED")[1].split()
    }
    assert not loaded & {"tensorflow", "keras", "tf_keras", "numpy", "h5py", "pyfive", "rich"}


AUDIT = """
import sys
from pathlib import Path
from capsule.artifact import open_artifact
from capsule.consent.plan import make_plan
from capsule.description.describe import describe
from capsule.verdict import verify
from capsule.report.text import verdict_lines
from capsule.manifest.files import read_manifest, sidecar_path
from capsule.artifact import identify
from capsule.artifact.files import contents_json
from capsule.inspection.functions import read_here
# Not "compile": packaging parses markers with ast.literal_eval, which runs nothing.
forbidden, seen, watching = {"marshal.loads", "exec", "import", "pickle.find_class",
                             "subprocess.Popen", "os.fork", "os.system", "ctypes.dlopen"}, [], False
def hook(event, arguments):
    if watching and event in forbidden:
        seen.append((event, str(arguments)[:80]))
sys.addaudithook(hook)
for turn in range(2):
    watching = turn == 1  # the first turn imports what is needed
    for path in sys.argv[1:]:
        # What the child does is looked at here, where the hook sees it.
        read_here(Path(path), identity=identify(path), disassemble=True)
        contents_json(Path(path), form=identify(path).format, weights_alone=True)
        verdict = verify(path)
        list(verdict_lines(verdict, verbose=True))
        plan = make_plan(describe(path))
        plan.to_json()
watching = False
import marshal
watching = True
marshal.loads(marshal.dumps(1))
watching = False
print("RESULT", [event for event, _ in seen])
"""


def test_nothing_out_of_a_file_is_ever_run(keras3: Installed, samples: Samples) -> None:
    folder = samples(keras3)
    paths = [
        str(folder / f"{n}.{f}") for n in ("doubling", "made_by_eval") for f in ("h5", "keras")
    ]
    done = keras3.run("-c", AUDIT, *paths)
    # Each file is read in a child. The last event is the test's own: the hook sees.
    events = json.loads(done.stdout.split("RESULT ")[1].replace("'", '"'))
    assert events[-1:] == ["marshal.loads"]
    assert len(events) == 5
    assert set(events[:-1]) <= {"os.fork", "subprocess.Popen"}


def test_save_runs_a_script_with_its_own_arguments_status_and_output(
    keras3: Installed, tmp_path: Path
) -> None:
    (tmp_path / "beside.py").write_text("NAME = 'beside'\n")
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, beside\nprint(sys.argv, __name__, beside.NAME)\n"
        "sys.exit(int(sys.argv[-1])) if sys.argv[-1].isdigit() else None\n"
        "raise ValueError('the script failed')\n"
    )
    done = keras3.capsule("save", str(script), "--probe", "-m", "7")
    assert done.returncode == 7
    assert done.stdout == f"{[str(script), '--probe', '-m', '7']} __main__ beside\n"
    assert "the script saved no model" in done.stderr
    failed = keras3.capsule("save", str(script), "x")
    assert failed.returncode == 1
    assert "ValueError: the script failed" in failed.stderr
    assert "runpy" not in failed.stderr
    assert "capsule/" not in failed.stderr
    one_sentence(keras3.capsule("save", str(tmp_path / "no.py")), 2, "does not exist")


def test_save_runs_a_module(keras3: Installed, tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "train.py").write_text("import sys\nprint(sys.argv[1:], __name__)\n")
    done = keras3.capsule("save", "-m", "package.train", "a", "--b", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "['a', '--b'] __main__\n")
    one_sentence(keras3.capsule("save", "-m", "no_such", cwd=tmp_path), 2, "no_such")
    done = keras3.capsule(
        "save", "--no-probe", "-m", "package.train", "--help", "-m", "z", cwd=tmp_path
    )
    assert done.stdout == "['--help', '-m', 'z'] __main__\n"
    (tmp_path / "failing.py").write_text("raise ImportError('my own')\n")
    done = keras3.capsule("save", "-m", "failing", cwd=tmp_path)
    assert done.returncode == 1
    assert "ImportError: my own" in done.stderr


def test_an_existing_model_is_described_by_the_environment_here(
    keras3: Installed, model: Path
) -> None:
    one_sentence(keras3.capsule("save", str(model)), 2, "exists already")
    sidecar(model).unlink()
    before = model.read_bytes()
    assert keras3.capsule("save", str(model)).returncode == 0
    assert model.read_bytes() == before
    data = json.loads(sidecar(model).read_text())
    assert data["origin"] == "described"
    assert "read from the file" in data["problems"][0]
    assert data["functions"][0]["code_sha256"]
    done = keras3.capsule("verify", str(model), "--json")
    assert done.returncode == 2
    assert set(json.loads(done.stdout)["results"][0]["verdict"].values()) == {"unknown"}


def test_capsules_own_python_is_never_judged(
    keras3: Installed, model: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    subprocess.run([keras3.python, "-m", "venv", "--without-pip", str(bare)], check=True)
    site = next(bare.glob("lib/python*/site-packages"))
    inside = next(keras3.folder.glob("lib/python*/site-packages"))
    # What capsule itself needs, as in an environment that pipx made for it, and no Keras.
    for found in inside.iterdir():
        ours = ("keras", "tf_", "tensorflow", "_", "capsule", "distutils-precedence")
        if not found.name.lower().startswith(ours):
            (site / found.name).symlink_to(found)
    (site / "capsule").symlink_to(Path(__file__).parent.parent.parent / "capsule")
    private = Installed(bare, 3, keras3.minor)
    done = private.capsule("verify", str(model), VIRTUAL_ENV="", CONDA_PREFIX="")
    one_sentence(done, 2, "--python")
    active = private.capsule("verify", str(model), "--json", VIRTUAL_ENV=str(keras3.folder))
    assert active.returncode == 0, active.stderr


def test_ctrl_c_in_the_midst_of_a_build_leaves_the_cache_sound(
    keras3: Installed, model: Path, tmp_path: Path
) -> None:
    import os

    environment = {**os.environ, "CAPSULE_CACHE": str(tmp_path / "cache")}
    command = [keras3.python, "-m", "capsule", "replay", str(model), "--unsafe", "--check"]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
        # Whoever runs the tests in the background has Ctrl-C ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr is not None
    while "installing" not in process.stderr.readline():
        pass
    time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    told = process.stderr.read()
    assert process.wait(30) == 130
    assert told.strip() == "capsule: stopped; nothing half-done will be used"
    left = [path for path in (tmp_path / "cache" / "environments").iterdir() if path.is_dir()]
    assert left == []
    assert subprocess.run(command, env=environment).returncode == 0
