"""Another Python's environment: it runs the collector once, and imports nothing of its own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from capsule.environment.reading import Environment, from_facts
from capsule.errors import EnvironmentUnknownError
from capsule.guest import collector

PROBE_SECONDS = 30


def of_interpreter(
    interpreter: str | os.PathLike[str], *, kind: str = "interpreter"
) -> Environment:
    """Return the environment of another Python. Starts it once; imports nothing of it.

    Raises EnvironmentUnknownError if it is not there or does not answer.
    """
    path = Path(interpreter)
    if path.is_dir():
        inside = path / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        if not inside.exists():
            raise EnvironmentUnknownError(f"{path} is a folder without a Python in it")
        path = inside
    return from_facts(collect(path), kind)


def collect(interpreter: Path, *, isolated: bool = True) -> dict[str, Any]:
    """Run the collector under *interpreter* and return what it says."""
    marker = os.urandom(16).hex()
    script = Path(collector.__file__)
    # -I: neither the current folder nor PYTHON… variables may lend it anything.
    command = [str(interpreter), "-I", str(script), marker]
    if not isolated:
        command.insert(2, "-S")
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PROBE_SECONDS, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        raise EnvironmentUnknownError(f"there is no interpreter at {interpreter}") from None
    except (OSError, ValueError) as error:
        raise EnvironmentUnknownError(f"{interpreter} can't be started: {error}") from None
    except subprocess.TimeoutExpired:
        raise EnvironmentUnknownError(
            f"{interpreter} did not answer within {PROBE_SECONDS} s: is it a Python?"
        ) from None
    parts = done.stdout.split(marker)
    if len(parts) != 3:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise EnvironmentUnknownError(f"{interpreter} is no Python of 3.6 or later: {last[:200]}")
    facts: dict[str, Any] = json.loads(parts[1])
    return facts
