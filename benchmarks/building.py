"""What a replay costs beside the bare tools: a build from nothing, a build, and a warm check.

usage: python building.py MODEL [--turns N] [--mlflow PYTHON]

MODEL has a sidecar. Every pair of commands is run in turn, in one run. PYTHON is one with
mlflow and the model's own Keras in it: its `mlflow.models.predict(env_manager="uv")` is then
timed as well, on the same model.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from uv import find_uv_bin

from capsule.consent.consent import Trust
from capsule.description.describe import describe
from capsule.rebuild.resolve import resolve

PLAIN = """
import sys, numpy as np, keras
model = keras.models.load_model(sys.argv[1], safe_mode=False)
model.predict(np.ones([d or 1 for d in model.input_shape], "float32"), verbose=0)
"""
MLFLOW_SAVE = """
import sys, keras, mlflow.tensorflow
model = keras.models.load_model(sys.argv[1], safe_mode=False)
pins = [line.split()[0] for line in open(sys.argv[3]) if "==" in line]
mlflow.tensorflow.save_model(model, sys.argv[2], pip_requirements=["mlflow", *pins])
"""
MLFLOW_PREDICT = """
import sys, numpy as np, keras, mlflow.models
shape = keras.models.load_model(sys.argv[2], safe_mode=False).input_shape
x = np.ones([d or 1 for d in shape], "float32")
mlflow.models.predict(sys.argv[1], x, env_manager="uv")
"""


def run(*words: object, statuses: tuple[int, ...] = (0,), **variables: str) -> None:
    # A habit of never keeping bytecode would slow down all but capsule's own worker.
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        list(map(str, words)),
        capture_output=True,
        text=True,
        env={**inherited, "TF_CPP_MIN_LOG_LEVEL": "3", **variables},
    )
    if done.returncode not in statuses:
        sys.exit(f"{' '.join(map(str, words))}\n{done.stdout}\n{done.stderr}")


def beside(title: str, turns: int, ours: Callable[[], None], theirs: Callable[[], None]) -> None:
    """Run two things in turn and print their medians, and the median of their ratios."""
    times: list[tuple[float, float]] = []
    for _ in range(turns):
        pair = []
        for call in (ours, theirs):
            started = time.perf_counter()
            call()
            pair.append(time.perf_counter() - started)
        times.append((pair[0], pair[1]))
    here, there = (statistics.median(column) for column in zip(*times))
    ratio = statistics.median(a / b for a, b in times)
    print(f"{title:<46}{here:>9.2f} s {there:>9.2f} s {ratio:>7.2f}x", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--mlflow", type=Path)
    args = parser.parse_args()
    resolution = resolve(describe(args.model), Trust())
    capsule = (sys.executable, "-m", "capsule", "replay", args.model)
    work = Path(tempfile.mkdtemp(prefix="capsule-building-"))
    pins = work / "pins.txt"
    pins.write_text(resolution.pins.as_text())
    folders = itertools.count()  # a new one for each build: taking the last away is no part of it
    latest = {"cache": work, "bare": work}

    def new(kind: str) -> Path:
        latest[kind] = work / f"{kind}-{next(folders)}"
        return latest[kind]

    def built(backend: str = "uv", **variables: str) -> None:
        words = ["--unsafe"] if backend == "pip-tools" else []
        statuses = (0,) if words else (2,)  # without consent it stops when all is built
        words += ["--backend", backend]
        run(*capsule, *words, statuses=statuses, CAPSULE_CACHE=str(new("cache")), **variables)

    def by_hand(**variables: str) -> None:
        bare = new("bare")
        run(find_uv_bin(), "venv", "-q", "--python", resolution.python.path, bare, **variables)
        into = ["pip", "install", "-q", "--no-deps", "--python", bare / "bin" / "python"]
        run(find_uv_bin(), *into, "-r", pins, **variables)

    def emptied(call: Callable[..., None]) -> None:
        call(UV_CACHE_DIR=str(new("uv")))

    print(f"{'median of ' + str(args.turns):<46}{'capsule':>11} {'beside it':>11}")
    try:
        beside(
            "everything downloaded: build / bare uv",
            max(args.turns // 2, 1),
            lambda: emptied(built),
            lambda: emptied(by_hand),
        )
        beside("nothing to download: build / bare uv", args.turns, built, by_hand)
        check = (*capsule, "--unsafe", "--check")
        cache = {"CAPSULE_CACHE": str(latest["cache"])}
        run(*check, **cache)
        plain = (latest["bare"] / "bin" / "python", "-c", PLAIN, args.model)
        run(*plain)
        beside(
            "warm: replay --check / a script that predicts",
            args.turns * 2 + 1,
            lambda: run(*check, **cache),
            lambda: run(*plain),
        )
        if args.mlflow is not None:
            logged = work / "logged"
            run(args.mlflow, "-c", MLFLOW_SAVE, args.model, logged, pins)
            beside(
                "warm: replay --check / mlflow predict by uv",
                1,
                lambda: run(*check, **cache),
                # Its end is no matter: it may not load what it rebuilt the environment for.
                lambda: run(
                    args.mlflow,
                    "-c",
                    MLFLOW_PREDICT,
                    logged,
                    args.model,
                    statuses=(0, 1),
                    PATH=f"{Path(find_uv_bin()).parent}:{os.environ['PATH']}",
                ),
            )
        beside("nothing to download: by uv / by pip-tools", 1, built, lambda: built("pip-tools"))
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
