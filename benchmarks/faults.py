"""What the cache does when it is killed, shared, full, read-only, or when clocks jump.

usage: python benchmarks/faults.py [--kills N]      (the last three need root, for a tmpfs)

Builds a small real environment again and again. Counts what must never happen: a half-built
environment taken for ready, one built twice, a process or a file left behind.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).parent.parent
NAMES = {
    "six": "1.16.0",
    "idna": "3.7",
    "certifi": "2024.2.2",
    "packaging": "24.0",
    "urllib3": "2.2.1",
    "attrs": "23.2.0",
}
BUILD = f"""
import subprocess, sys
sys.path.insert(0, {str(PROJECT)!r})
from capsule.errors import CapsuleError
from capsule.rebuild.cache import build_exact
from capsule.rebuild.installers import Uv
from capsule.rebuild.options import silent
from capsule.rebuild.pins import Pins
from capsule.rebuild.python_discovery import Interpreter
from capsule.rebuild.recipe import Recipe
from capsule.rebuild.session import little_room
from pathlib import Path
names = {NAMES!r}
ordered = dict(sorted(names.items()))
pins = Pins(tuple(f"{{n}}=={{v}}" for n, v in ordered.items()), ordered)
version = "{{}}.{{}}.{{}}".format(*sys.version_info[:3])
python = Interpreter(Path(sys._base_executable), version, True)
try:
    environment = build_exact(Recipe(python, pins, Uv()), silent)
except CapsuleError as error:
    print("REFUSED", error)
    sys.exit(2)
code = "import six, idna, certifi, packaging, urllib3, attrs"
words = ["-I", *(["-B"] if little_room(environment.folder) else []), "-c", code]  # as a worker does
done = subprocess.run([str(environment.interpreter), *words])
print("CACHED" if environment.cached else "BUILT", environment.folder)
sys.exit(0 if done.returncode == 0 else 9)
"""


def started(cache: Path) -> subprocess.Popen[str]:
    inner = {**os.environ, "CAPSULE_CACHE": str(cache)}
    return subprocess.Popen(
        [sys.executable, "-c", BUILD],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=inner,
    )


def finished(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, _ = process.communicate(timeout=300)
    return process.returncode, out.strip()


def survivors(group: int) -> int:
    """Return how many processes of a group are still there."""
    count = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        count += int(fields[2]) == group and fields[0] != "Z"
    return count


def kills(cache: Path, count: int) -> int:
    """Kill a build at *count* random moments; return what went wrong."""
    chance, wrong = random.Random(0), 0
    status, output = finished(started(cache))
    assert (status, output[:5]) == (0, "BUILT"), output
    began = time.monotonic()
    shutil.rmtree(cache / "environments")
    finished(started(cache))
    whole = time.monotonic() - began
    for turn in range(count):
        shutil.rmtree(cache / "environments", ignore_errors=True)
        process = started(cache)
        time.sleep(chance.uniform(0.0, 1.1 * whole))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        end = time.monotonic() + 2  # killed processes take a moment to be gone
        while survivors(process.pid) and time.monotonic() < end:
            time.sleep(0.02)
        if survivors(process.pid):
            wrong += 1
            print(f"kill {turn}: something still runs")
        status, output = finished(started(cache))
        if status != 0:
            wrong += 1
            print(f"kill {turn}: then {output}")
    return wrong


def together(cache: Path, count: int) -> int:
    """Let *count* processes want the same environment at once; return what went wrong."""
    shutil.rmtree(cache / "environments", ignore_errors=True)
    answers = [finished(process) for process in [started(cache) for _ in range(count)]]
    built = sum(output.startswith("BUILT") for _, output in answers)
    return abs(built - 1) + sum(status != 0 for status, _ in answers)


def with_tmpfs(size: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)], check=True
    )
    return folder


def full_disk() -> int:
    """Build where there is no room, then where there is; return what went wrong."""
    cache = with_tmpfs("1m")
    try:
        status, output = finished(started(cache))
        wrong = int(status != 2 or "REFUSED" not in output)
        print(f"  full disk: {output[:200]}")
        subprocess.run(["mount", "-o", "remount,size=200m", str(cache)], check=True)
        return wrong + int(finished(started(cache))[0] != 0)
    finally:
        subprocess.run(["umount", str(cache)], check=True)
        cache.rmdir()


def read_only() -> int:
    """Use what is there in a cache that can't be written, and refuse to build in it."""
    cache = with_tmpfs("200m")
    try:
        finished(started(cache))
        subprocess.run(["mount", "-o", "remount,ro", str(cache)], check=True)
        status, output = finished(started(cache))
        wrong = int(status != 0 or not output.startswith("CACHED"))
        subprocess.run(["mount", "-o", "remount,rw", str(cache)], check=True)
        shutil.rmtree(cache / "environments")
        subprocess.run(["mount", "-o", "remount,ro", str(cache)], check=True)
        status, output = finished(started(cache))
        print(f"  read-only: {output[:200]}")
        return wrong + int(status != 2)
    finally:
        subprocess.run(["umount", str(cache)], check=True)
        cache.rmdir()


def clocks(cache: Path) -> int:
    """Let the times of what was built lie in the future and in the past."""
    wrong = 0
    for when in (time.time() + 10**8, 0):
        status, output = finished(started(cache))
        folder = Path(output.split()[1])
        for path in [folder, *folder.glob("capsule-*")]:
            os.utime(path, (when, when))
        status, output = finished(started(cache))
        wrong += int(status != 0 or not output.startswith("CACHED"))
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    args = parser.parse_args()
    cache = Path(tempfile.mkdtemp(prefix="faults-"))
    results = {
        f"{args.kills} kills": kills(cache, args.kills),
        "20 at once": together(cache, 20),
        "clock changes": clocks(cache),
    }
    left = [
        entry.name
        for entry in (cache / "environments").iterdir()
        if len(entry.name) != 20 and entry.suffix != ".lock"
    ]
    results["left behind"] = len(left)
    if os.geteuid() == 0:
        results["full disk"] = full_disk()
        results["read-only cache"] = read_only()
    shutil.rmtree(cache)
    for name, wrong in results.items():
        print(f"{name}: {wrong} went wrong")
    sys.exit(1 if any(results.values()) else 0)


if __name__ == "__main__":
    main()
