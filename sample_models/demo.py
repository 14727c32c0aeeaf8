"""The whole story on real TensorFlow: save, verify, replay.

usage: python demo.py      (in the environment that `make demo` makes)
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from capsule.rebuild.python_discovery import installed_pythons

HERE = Path(__file__).parent
CAPSULE = [sys.executable, "-m", "capsule"]
# TensorFlow greets at every start; those lines are not part of the story.
NOISE = ("I0000", "WARNING: All log", "WARNING:absl:", "E0000", "W0000")


def tell(text):
    print(f"\n\033[1m{text}\033[0m\n" if sys.stdout.isatty() else f"\n{text}\n", flush=True)


def run(*words, expect):
    """Run a capsule command, show it and what it prints, and check its exit status."""
    shown = [Path(w).name if w.startswith(os.sep) else w for w in words]
    print(f"$ capsule {' '.join(shown)}", flush=True)
    done = subprocess.run(
        [*CAPSULE, *words], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    for line in done.stdout.splitlines():
        if not line.startswith(NOISE):
            print(line, flush=True)
    if done.returncode != expect:
        sys.exit(f"that ended with status {done.returncode}, not {expect}")
    print(flush=True)


def main():
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="capsule-demo-"))
    os.environ["CAPSULE_CACHE"] = str(folder / "cache")
    os.chdir(folder)
    try:
        tell("1. Three training scripts, unchanged, under the save hook.")
        for script in ("doubling", "numpy_helper", "tensor_helper", "made_by_eval"):
            run("save", str(HERE / f"{script}.py"), ".", expect=0)

        tell("2. Will they load here, and compute the same? Nothing of them is run to tell.")
        for model in ("doubling.keras", "tensor_helper.keras", "made_by_eval.keras"):
            run("verify", model, expect=0)
        print("The one whose helper uses numpy on a tensor was never whole:\n", flush=True)
        run("verify", "numpy_helper.keras", expect=1)

        tell("3. And in another environment, one that does not fit?")
        run("verify", "made_by_eval.keras", "--python", another_python(folder), expect=1)

        tell("4. Replay: the environment it was saved in, built anew, the model alive in it.")
        print("First without consent: nothing of the model runs.\n", flush=True)
        run("replay", "tensor_helper.keras", expect=2)
        print("With it, its outputs are compared with those recorded at save:\n", flush=True)
        run("replay", "tensor_helper.keras", "--unsafe", expect=0)
        run("replay", "made_by_eval.h5", "--unsafe", "--check", expect=0)

        tell(f"That was all: {time.monotonic() - started:.0f} seconds.")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def another_python(folder):
    """Return a Python without Keras: of another minor version if the machine has one."""
    mine = "{}.{}.".format(*sys.version_info[:2])
    for version, path in installed_pythons():
        whole = version is not None and version.count(".") == 2
        if whole and not version.startswith((mine, "2.")):
            return str(path)
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(folder / "bare")], check=True
    )
    return str(folder / "bare" / "bin" / "python")


if __name__ == "__main__":
    main()
