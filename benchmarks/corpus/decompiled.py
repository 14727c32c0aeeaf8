"""Every function of the public files, decompiled, compiled again by its own Python, and compared.

usage: python benchmarks/corpus/decompiled.py CORPUS

Where an interpreter of the version that wrote it is found, what is decompiled must compile to the
same instructions there. For Python 3.4 and 3.5 that is 3.6, whose instructions are of another
width: both are followed step by step. So is every function's source beside its own code.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

PROJECT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(PROJECT))

from capsule.artifact import open_artifact  # noqa: E402
from capsule.bytecode.code import decode_code  # noqa: E402
from capsule.bytecode.detect_python import Detection, detect_python_versions  # noqa: E402
from capsule.bytecode.equivalence import Unknown, difference, instruction_difference  # noqa: E402
from capsule.bytecode.unmarshal import read_code  # noqa: E402
from capsule.guest.digest import code_bytes  # noqa: E402
from capsule.rebuild.python_discovery import installed_pythons  # noqa: E402

COMPILING = PROJECT / "tests" / "interpreters" / "compiling.py"


def interpreters() -> dict[str, Path]:
    """Return a Python of each minor version that is found."""
    found: dict[str, Path] = {}
    for version, path in installed_pythons():
        if version is not None:
            found.setdefault(".".join(version.split(".")[:2]), path)
    return found


def compiled(python: Path, text: str, free: tuple[str, ...]) -> bytes | None:
    """Return the code of the function *text*, as that Python compiles it."""
    done = subprocess.run(
        [str(python), "-W", "ignore", str(COMPILING)],
        capture_output=True,
        text=True,
        input=json.dumps([[text, list(free)]]) + "\n",
    )
    (answer,) = json.loads(done.stdout)
    return None if answer is None else base64.b64decode(answer)


def compared(found: Detection, pythons: dict[str, Path]) -> str:
    """Return how a decompiled function compares with its code."""
    if found.decompilation.source is None:
        return f"not decompiled: {found.decompilation.reason}"
    code = found.codes[found.pythons[0]]
    try:
        if difference(code, found.decompilation.source) is not None:
            return "DIFFERENT when followed"
    except Unknown as error:
        return f"not followed: {error}"
    own = found.pythons[0]
    minor = "3.6" if own in ("3.4", "3.5") else own
    if minor not in pythons:
        return f"the same when followed; no Python {minor} here"
    again = compiled(pythons[minor], found.decompilation.source, code.free)
    if again is None:
        return f"NO SYNTAX of Python {minor}"
    (raw,) = read_code(again)
    other = decode_code(raw, minor)
    if minor == own:
        told = instruction_difference(code, other)
        return f"the same instructions under {own}" if told is None else f"DIFFERENT: {told}"
    told = difference(other, found.decompilation.source)
    return f"the same when followed, compiled by {minor}" if told is None else f"DIFFERENT: {told}"


def main() -> None:
    corpus, pythons = Path(sys.argv[1]), interpreters()
    outcomes: dict[str, str] = {}
    for line in (corpus / "INDEX.jsonl").read_text().splitlines():
        artifact = open_artifact(corpus / json.loads(line)["file"], weights_alone=True)
        for carried in artifact.functions:
            if carried.code is not None and carried.code_sha256 not in outcomes:
                written = detect_python_versions(code_bytes(carried.code))
                outcomes[str(carried.code_sha256)] = compared(written, pythons)
    for outcome, count in Counter(outcomes.values()).most_common():
        print(f"{count:4} {outcome}")
    print(f"{len(outcomes)} distinct functions with code")


if __name__ == "__main__":
    main()
