"""Every case saved under capsule in every environment, and loaded in all of them.

usage: python run.py MATRIX [--work FOLDER] [--only NAME…] [--cases NAME…]
                     [--steps build save load tables] [--how capsule plain]

MATRIX is a folder with cases.py (saves models), mylib.py beside it and
environments.json (Pythons, pins, variables). Environments whose Python capsule does not
run on, or that is not found here, are left out, and said. Prints RESULT.md's tables.
"""

import argparse
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from uv import find_uv_bin

HERE = Path(__file__).parent
PROJECT = HERE.parent.parent
INSIDE = HERE / "inside.py"
OLDEST = (3, 9)


def environments(matrix, only):
    """Return the environments that can be built here, by name; one more for PyTorch."""
    known = json.loads((matrix / "environments.json").read_text())
    jax = known.get("py311_keras_jax")
    if jax is not None:
        names = ("jax==", "jaxlib==", "opt-einsum==", "scipy==")
        pins = [pin for pin in jax["pins"] if not pin.startswith(names)]
        known["py311_keras_torch"] = {
            **jax,
            "backend": "torch",
            "environment": {"KERAS_BACKEND": "torch"},
            "pins": pins,
            "extra": ["torch==2.13.0"],
        }
    chosen = {}
    for name, spec in sorted(known.items()):
        version = tuple(map(int, spec["python"].split(".")[:2]))
        if (only and name not in only) or version < OLDEST:
            continue
        python = find_python(spec["python"])
        if python is None:
            print(f"left out {name}: no Python {spec['python']} here", file=sys.stderr)
            continue
        chosen[name] = {**spec, "interpreter": python}
    return chosen


def find_python(version):
    """Return an interpreter of that minor version, None if there is none."""
    minor = ".".join(version.split(".")[:2])
    roots = sorted(Path.home().glob(f".pyenv/versions/{minor}.*/bin/python"))
    return str(roots[-1]) if roots else shutil.which(f"python{minor}")


def build(name, spec, work):
    """Make the environment with capsule in it, its pins untouched; returns its Python."""
    folder = work / "environments" / name
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        uv = find_uv_bin()
        run([uv, "venv", "-q", "--clear", "--python", spec["interpreter"], folder])
        pins = folder / "pins.txt"
        pins.write_text("\n".join(spec["pins"]) + "\n")
        into = [uv, "pip", "install", "-q", "--python", python]
        run([*into, "--no-deps", "-r", pins])
        for extra in spec.get("extra", ()):
            # pip looks where wheels were put by hand; uv does not.
            run([uv, "pip", "install", "-q", "--python", python, "pip"])
            run([python, "-m", "pip", "install", "-q", extra, "-c", pins])
        run([*into, "-c", pins, "-e", PROJECT])
        (folder / "ready").touch()
    return python


def save(name, spec, python, matrix, work, cases):
    """Save every case under capsule, and the controls."""
    folder = work / "saved" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    flavor = spec["keras_flavor"]
    variables = {**spec["environment"], **({"CASES": ",".join(cases)} if cases else {})}
    script = [python, "-m", "capsule", "save", matrix / "cases.py", folder, flavor]
    with open(work / "logs" / f"{name}.save", "w") as log:
        run(script, variables, log, cwd=matrix)
        run([python, INSIDE, "controls", folder, flavor], variables, log)


def start_load(name, spec, python, saved, work, how):
    """Start loading all that was saved; returns the process."""
    results = work / "results" / f"{name}.{how}.jsonl"
    command = [python, INSIDE, "load", how, *saved, results, spec["keras_flavor"]]
    log = open(work / "logs" / f"{name}.{how}", "w")  # noqa: SIM115 - the child's own
    elsewhere = work / "empty"
    elsewhere.mkdir(exist_ok=True)
    return subprocess.Popen(
        list(map(str, command)),
        stdout=log,
        stderr=log,
        env=clean(spec["environment"]),
        cwd=elsewhere,
    )


def run(command, variables=None, log=None, cwd=None):
    subprocess.run(
        list(map(str, command)),
        check=True,
        env=clean(variables or {}),
        cwd=cwd,
        stdout=log,
        stderr=log and subprocess.STDOUT,
    )


def clean(variables):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "KERAS", "TF_"))}
    return {**kept, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", **variables}


def tables(work, names):
    """Return the result as Markdown: loads that came out right, of those that Keras can read."""
    rows = []
    for name in names:
        for path in (work / "results").glob(f"{name}.*.jsonl"):
            rows += [{**json.loads(line), "load": name} for line in path.open()]
    controls = {place(row) for row in rows if is_control(row) and row["outcome"] == "ok"}
    loads = [row for row in rows if not is_control(row)]
    readable = [row for row in loads if place(row) in controls]
    text = ["# The matrix", "", "Each case saved under capsule in each environment and loaded in"]
    text += ["all of them, by `capsule.load(path, safe_mode=False)` and by plain Keras with"]
    text += ["`load_model(path, safe_mode=False)`, as .h5 and as .keras. What Keras cannot read"]
    text += ["with built-in layers in place of the functions is no one's to load.", ""]
    for how, title in (("capsule", "capsule.load"), ("plain", "plain Keras")):
        mine = [row for row in readable if row["how"] == how]
        good = sum(row["outcome"] == "ok" for row in mine)
        text += [f"## {title}: {good} of {len(mine)} right", "", *grid(mine, names), ""]
        every = Counter(row["outcome"] for row in loads if row["how"] == how)
        told = ", ".join(f"{name} {count}" for name, count in sorted(every.items()))
        text += [f"With the files that Keras cannot read: {told}.", ""]
    text += ["## What capsule.load did not bring back", ""]
    text += ["| cases | loads | why |", "|---|---|---|"]
    missed = [row for row in readable if row["how"] == "capsule" and row["outcome"] != "ok"]
    reasons = {}
    for row in missed:
        reasons.setdefault((row["outcome"], reason(row["error"])), []).append(row["case"])
    for (outcome, why), cases in sorted(reasons.items(), key=lambda item: -len(item[1])):
        text += [f"| {', '.join(sorted(set(cases)))} | {len(cases)} | {outcome}: {why} |"]
    return "\n".join(text) + "\n"


def is_control(row):
    return row["case"].startswith("control")


def place(row):
    """Return what decides whether Keras can read a file: who saved it, who loads it, its kind."""
    timed = row["case"] in ("control_timed", "L15")
    return row["save"], row["load"], row["format"], timed


def grid(rows, names):
    """Give the lines of a table: saved in each row, loaded in each column."""
    right, every = Counter(), Counter()
    for row in rows:
        cell = row["save"], row["load"]
        every[cell] += 1
        right[cell] += row["outcome"] == "ok"
    yield "| saved in \\ loaded in | " + " | ".join(names) + " |"
    yield "|---" * (len(names) + 1) + "|"
    for saved in names:
        cells = [(saved, name) for name in names]
        told = [f"{right[c]}/{every[c]}" if every[c] else "Keras cannot read it" for c in cells]
        yield f"| {saved} | " + " | ".join(told) + " |"


def reason(error):
    """Return what was said, without the file it was said of and how it was reached."""
    kind, _, said = error.partition(": ")
    if kind == "VerdictError":
        return re.sub(r" \(used by .*", "", said.partition("will not load here: ")[2])
    return error.partition(" Please ")[0].replace("|", "/")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("matrix", type=Path)
    parser.add_argument("--work", type=Path, default=PROJECT / ".environments" / "matrix")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--cases", nargs="*", default=[])
    parser.add_argument("--steps", nargs="*", default=["build", "save", "load", "tables"])
    parser.add_argument("--how", nargs="*", default=["capsule", "plain"])
    parser.add_argument("--at-once", type=int, default=2)
    args = parser.parse_args()
    matrix, work = args.matrix.resolve(), args.work.resolve()
    for folder in ("environments", "saved", "results", "logs"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    chosen = environments(matrix, args.only)
    pythons = {name: work / "environments" / name / "bin" / "python" for name in chosen}
    for name, spec in chosen.items():
        if "build" in args.steps:
            print("build", name, file=sys.stderr, flush=True)
            build(name, spec, work)
        if "save" in args.steps:
            print("save", name, file=sys.stderr, flush=True)
            save(name, spec, pythons[name], matrix, work, args.cases)
    if "load" in args.steps:
        saved = sorted(path for path in (work / "saved").iterdir())
        running = []
        for how, (name, spec) in itertools.product(args.how, chosen.items()):
            print("load", how, name, file=sys.stderr, flush=True)
            running.append(start_load(name, spec, pythons[name], saved, work, how))
            while sum(process.poll() is None for process in running) >= args.at_once:
                time.sleep(1)
        for process in running:
            process.wait()
    if "tables" in args.steps:
        print(tables(work, sorted(chosen)))


if __name__ == "__main__":
    main()
