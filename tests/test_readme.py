"""The README tells the truth: its help text is what the command prints."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parent.parent


def test_help_in_the_readme_is_what_the_command_prints() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "capsule", "--help"],
        capture_output=True,
        text=True,
        env={"COLUMNS": "80", "PATH": "/usr/bin:/bin"},
    )
    text = (PROJECT / "README.md").read_text()
    assert done.stdout.strip() in text


def test_commands_in_the_readme_exist() -> None:
    makefile = (PROJECT / "Makefile").read_text()
    for target in re.findall(r"^make ([a-z-]+)", (PROJECT / "README.md").read_text(), re.M):
        assert f"\n{target}:" in makefile


def test_files_that_the_documents_name_exist() -> None:
    for document in ("ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"):
        for name in re.findall(r"`([\w/]+\.(?:py|json|md))`", (PROJECT / document).read_text()):
            places = (PROJECT / name, PROJECT / "capsule" / name, PROJECT / "benchmarks" / name)
            there = any(place.exists() for place in places)
            assert there or "/" not in name, f"{document}: {name}"
