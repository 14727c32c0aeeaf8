"""Every case replayed in the environment that saved it, from several Pythons of today.

usage: python replayed.py MATRIX [--work FOLDER] [--from 3.11 3.13] [--only NAME…]
                          [--cases NAME…] [--every-format] [--steps run tables] [--again]

What `run.py` saved under capsule (Python 3.9 and later) is replayed by its sidecar, what
older Pythons saved is read bare from MATRIX/models. Unless --every-format is given, the
Pythons take the formats of a case in turn, so that each replays every case. --again takes
only those that did not come out right before. Prints a table.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from run import HERE, PROJECT, clean, find_python, find_uv_bin, run

# What the files of the older environments lack, as whoever has the old script could give it:
# helpers, a module, a class, and an array that Keras 2 wrote as a list.
LACKING = {case: {"bind_from": [HERE / "lacking.py"]} for case in ("L4", "L5", "L10", "L16", "L24")}
LACKING["L7c"] = {"bind": {"arr": [1.0, 2.0, 3.0]}}


def files(matrix, work, name):
    """Give the models of one environment with whether each has a sidecar."""
    saved = work / "saved" / name
    folder = saved if saved.is_dir() else matrix / "models" / name
    for path in sorted(folder.iterdir()):
        named = path.suffix in (".h5", ".keras") and not path.stem.startswith("control")
        if named and path.with_suffix(".npz").exists():
            yield path, saved.is_dir()


def host(version, work):
    """Return a Python of that version with capsule, and no Keras, beside it."""
    folder = work / "hosts" / version
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        run([find_uv_bin(), "venv", "-q", "--clear", "--python", find_python(version), folder])
        run([find_uv_bin(), "pip", "install", "-q", "--python", python, "-e", PROJECT])
        (folder / "ready").touch()
    return python


def replay(path, results):
    """Replay the models listed in *path*, a JSON line each, and write what came of each."""
    import numpy as np

    import capsule
    from capsule.rebuild.sources import Sources

    # Where pip finds a wheel that was put by hand, uv has to be told.
    by_hand = Sources(find_links=tuple(os.environ.get("PIP_FIND_LINKS", "").split()))
    with open(results, "a") as out:
        for row in map(json.loads, Path(path).read_text().splitlines()):
            file = Path(row["path"])
            stored = np.load(file.with_suffix(".npz"))
            given = {} if row["sidecar"] else dict(LACKING.get(row["case"], {}))
            if "bind" in given:
                given["bind"] = {name: np.array(v, "float32") for name, v in given["bind"].items()}
            if row["case"] == "L6" and not row["sidecar"]:
                given = {"bind_from": [file.parent.parent.parent / "mylib.py"]}
            started = time.monotonic()
            try:
                sources = by_hand if "torch" in row["environment"] else None
                with capsule.replay(
                    file, safe_mode=False, timeout=300, **given, sources=sources
                ) as model:
                    y = np.asarray(model.predict(stored["x0"]))
                same = y.shape == stored["y"].shape
                same = same and np.allclose(y, stored["y"], rtol=1e-4, atol=1e-5)
                row["outcome"], row["error"] = "ok" if same else "wrong", ""
            except Exception as error:  # noqa: BLE001 - whatever happens is the result
                told = " ".join(str(error).split())[:300]
                row["outcome"], row["error"] = "raises", f"{type(error).__name__}: {told}"
            row["seconds"] = round(time.monotonic() - started, 1)
            out.write(json.dumps(row, sort_keys=True) + "\n")
            out.flush()


def tables(work):
    """Return the result as Markdown."""
    rows = []
    for path in sorted((work / "replayed").glob("*.jsonl")):
        rows += [{**json.loads(line), "host": path.stem} for line in path.open()]
    hosts = sorted({row["host"] for row in rows})
    right = sum(row["outcome"] == "ok" for row in rows)
    lines = [f"## Replayed: {right} of {len(rows)} as recorded", ""]
    lines += ["| saved in | " + " | ".join(f"from {host}" for host in hosts) + " |"]
    lines += ["|---" * (len(hosts) + 1) + "|"]
    for name in sorted({row["environment"] for row in rows}):
        cells = []
        for one in hosts:
            mine = [r for r in rows if r["environment"] == name and r["host"] == one]
            counts = Counter(row["outcome"] == "ok" for row in mine)
            cells.append(f"{counts[True]}/{len(mine)}")
        lines += [f"| {name} | " + " | ".join(cells) + " |"]
    lines += [""]
    reasons = {}
    for row in rows:
        if row["outcome"] != "ok":
            reasons.setdefault((row["outcome"], row["error"]), []).append(row)
    for (outcome, why), found in sorted(reasons.items(), key=lambda item: -len(item[1])):
        where = ", ".join(sorted({f"{r['environment']}/{r['case']}.{r['format']}" for r in found}))
        lines += [f"- {outcome} ({len(found)}): {why} [{where}]"]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("matrix", type=Path)
    parser.add_argument("--work", type=Path, default=PROJECT / ".environments" / "matrix")
    parser.add_argument("--from", dest="pythons", nargs="*", default=["3.11", "3.13"])
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--cases", nargs="*", default=[])
    parser.add_argument("--every-format", action="store_true")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--steps", nargs="*", default=["run", "tables"])
    args = parser.parse_args()
    matrix, work = args.matrix.resolve(), args.work.resolve()
    (work / "replayed").mkdir(parents=True, exist_ok=True)
    (work / "cache").mkdir(mode=0o700, exist_ok=True)
    known = json.loads((matrix / "environments.json").read_text())
    names = sorted({*known, *(path.name for path in (work / "saved").glob("*"))})
    listed = {version: [] for version in args.pythons}
    for name in names:
        if args.only and name not in args.only:
            continue
        by_case = {}
        for path, sidecar in files(matrix, work, name):
            if not args.cases or path.stem in args.cases:
                by_case.setdefault(path.stem, []).append((path, sidecar))
        for number, (case, found) in enumerate(sorted(by_case.items())):
            for place, version in enumerate(args.pythons):
                chosen = found if args.every_format else [found[(number + place) % len(found)]]
                for path, sidecar in chosen:
                    listed[version].append(
                        {
                            "environment": name,
                            "case": case,
                            "format": path.suffix[1:],
                            "path": str(path),
                            "sidecar": sidecar,
                        }
                    )
    if "run" in args.steps:
        running = []
        for version, rows in listed.items():
            results = work / "replayed" / f"{version}.jsonl"
            before = results.read_text().splitlines() if args.again else []
            right = [line for line in before if json.loads(line)["outcome"] == "ok"]
            results.write_text("".join(f"{line}\n" for line in right))
            done = {json.loads(line)["path"] for line in right}
            rows = [row for row in rows if row["path"] not in done]
            todo = work / f"replay-{version}.txt"
            todo.write_text("".join(json.dumps(row) + "\n" for row in rows))
            words = [host(version, work), __file__, "--replay", todo, results]
            environment = {**clean({}), "CAPSULE_CACHE": str(work / "cache")}
            running.append(subprocess.Popen(list(map(str, words)), env=environment))
        for process in running:
            process.wait()
    if "tables" in args.steps:
        print(tables(work))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--replay"]:
        sys.path.remove(os.path.dirname(os.path.abspath(__file__)))
        replay(sys.argv[2], sys.argv[3])
    else:
        main()
