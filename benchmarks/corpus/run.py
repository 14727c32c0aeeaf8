"""Public model files of other people: read, decompiled, brought back; beside it plain Keras.

usage: python benchmarks/corpus/run.py CORPUS [--only TEXT] [--json FILE]

CORPUS is a folder with an INDEX.jsonl, which says of each file what is in it. Runs in the
environment of `make test`, and rebuilds others in the cache.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from capsule.description.describe import describe
from capsule.environment import live_environment
from capsule.errors import CapsuleError
from capsule.inspection import Inspection
from capsule.verdict import judge

HERE = Path(__file__).parent
# What these names were when their owners trained, as far as it can be told from the shapes.
BIND = {"im_size": 256, "latent_dim": 2, "n_steps": 4}
SECONDS = 900


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    rows = []
    for line in (asked.corpus / "INDEX.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if asked.only in entry["file"]:
            row = one(asked.corpus / entry["file"], entry)
            rows.append(row)
            print(json.dumps(row), flush=True)
    if asked.json:
        asked.json.write_text("".join(json.dumps(row) + "\n" for row in rows))
    print(table(rows))


def one(path: Path, entry: dict[str, Any]) -> dict[str, Any]:
    """Return what became of one file."""
    row: dict[str, Any] = {"file": entry["file"], "keras": entry["keras_version"]}
    try:
        description = describe(path)
        verdict = judge(description, live_environment())
    except CapsuleError as error:
        return {**row, "read": False, "told": error.message}
    found = description.inspection
    coded = {f.code_sha256: f.source is not None for f in found.functions if f.code_sha256}
    codes = ("by-name-only", "custom-class")
    lacks = list(dict.fromkeys(f.subject for f in verdict.findings if f.code in codes))
    row |= {"read": True, "right": right(found, entry), "decompiled": coded, "lacks": lacks}
    uses = {name for f in found.functions for name in (*f.uses, *f.freevars)}
    given = {"bind": {k: v for k, v in BIND.items() if k in uses}, "stand_ins": lacks}
    row["plain"] = run("plain", path, given)
    row["load"] = run("load", path, given)
    row["replay"] = None if row["load"]["alive"] else run("replay", path, given)
    if lacks:  # what its owner is told, who did not give them
        row["told"] = run("load", path, {**given, "stand_ins": []})["message"]
    return row


def right(found: Inspection, entry: dict[str, Any]) -> bool:
    """Tell whether names and Python range are what the index says."""
    for told in entry["lambdas"]:
        same = [f for f in found.functions if f.where[-1:] == (told["layer"],)]
        names = set(told.get("co_names") or ())
        if not any(names <= set(f.names) or f.kind == "by-name" for f in same):
            return False
    best = str(entry.get("python_best_estimate") or "")
    if not any(f.code_sha256 for f in found.functions) or not best[:1].isdigit():
        return True
    low, high = best.partition("-")[0], best.rpartition("-")[2]
    mine = (key(found.python.lowest), key(found.python.highest))
    return mine[0] <= key(low) and key(high) <= mine[1]


def key(version: str | None) -> tuple[int, ...]:
    return tuple(int(part) for part in (version or "0").split("."))


def run(way: str, path: Path, given: dict[str, Any]) -> dict[str, Any]:
    """Load and predict in a process of its own."""
    command = [sys.executable, str(HERE / "inside.py"), way, str(path), json.dumps(given)]
    inner = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, env=inner)
    except subprocess.TimeoutExpired:
        return {"alive": False, "kind": "hang", "message": f"no answer in {SECONDS} s"}
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            answer: dict[str, Any] = json.loads(line[7:])
            return answer
    return {"alive": False, "kind": "crash", "message": done.stderr[-300:]}


def table(rows: list[dict[str, Any]]) -> str:
    """Return the figures as Markdown."""
    coded = {digest: whole for row in rows for digest, whole in row.get("decompiled", {}).items()}
    whole = [row for row in rows if row.get("lacks") == []]
    lines = [
        "| file | Keras | plain Keras | capsule.load | replay | what its owner is told |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        cells = [cell(row.get(way)) for way in ("plain", "load", "replay")]
        told = row.get("told") or ("" if alive(row) else (row["replay"] or row["load"])["message"])
        lines.append(f"| {row['file']} | {row['keras']} | {' | '.join(cells)} | {told[:300]} |")
    lines += [
        "",
        f"read: {sum(row['read'] for row in rows)} of {len(rows)};"
        f" names and Python as the index says: {sum(row.get('right', False) for row in rows)}",
        f"decompiled: {sum(coded.values())} of {len(coded)} distinct functions with code",
        f"alive, of those that carry all of their code: {sum(map(alive, whole))} of {len(whole)}"
        f" (plain Keras: {sum(row['plain']['alive'] for row in whole)})",
        f"alive, of the others, with what they lack given:"
        f" {sum(alive(r) for r in rows) - sum(map(alive, whole))} of {len(rows) - len(whole)}",
    ]
    return "\n".join(lines)


def cell(outcome: dict[str, Any] | None) -> str:
    if outcome is None:
        return "–"
    return "alive" if outcome["alive"] else outcome["message"][:90].replace("|", "/")


def alive(row: dict[str, Any]) -> bool:
    return any(row.get(way) and row[way]["alive"] for way in ("load", "replay"))


if __name__ == "__main__":
    main()
