"""Write tests/unit/code_samples.json: sources as each Python of this machine compiles them.

usage: python tools/code_samples.py

The fast tests read that code under whichever Python they run.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parent.parent
sys.path.insert(0, str(PROJECT))

from capsule.rebuild.python_discovery import installed_pythons  # noqa: E402

MINORS = ["2.7", *(f"3.{minor}" for minor in range(6, 15))]
# What people write, one construct each that Pythons compile differently.
SOURCES = """
lambda x: x * 2 + 1
lambda x: x / 255.0
lambda x: x[:, 0:2]
lambda x: x[..., 1].mean(axis=-1)
lambda x: K.batch_dot(x[0], x[1], axes=1)
lambda x: tf.image.resize(x, (32, 32), method='nearest')
lambda x: {k: v for k, v in x}
lambda x: {k: v for k, v in x.items()}
lambda x: {v.name: v.value() for v in x if v}
lambda x: {f(a): g(b) for a, b in x.items()}
lambda x: [i * 2 for i in x if i > 0]
lambda x: [(i, j) for i in x for j in i if j]
lambda x: {i for i in x}
lambda x: sum((i for i in x))
lambda x: x if x > 0 else -x
lambda x: 0 < x < 10 and (not y) or z
lambda x: x is None or x not in y
lambda x, y, *z, k, **w: f(*z, y, k=k, **w)
lambda x: {'a': x, 'b': x + 1}
lambda x: {'a': x, **y}
lambda x: [*x, 1, *y]
lambda x: f'{x:>{y}} {z!r}'
lambda x: (lambda y: y + x)(1)
lambda x: x @ y ** -1 // 2 % 3 << 1 & 7 | y ^ 9
lambda x: x[1:2, ::3][-1]
def f(x):\\n    a, b = x\\n    return a + b
def f(x):\\n    a, *b = x\\n    return b
def f(x):\\n    a, b, c = (x, y, z)\\n    return a - b - c
def f(x):\\n    x.a += 1\\n    x[0] -= 2\\n    return x
def f(x):\\n    for i in range(3):\\n        x = x + i\\n    return x
def f(x):\\n    while x > 0:\\n        x -= 1\\n    return x
def f(x):\\n    if x:\\n        return 1\\n    if y:\\n        return 2\\n    return 3
def f(x):\\n    import math\\n    from os import path as p\\n    return math.floor(p(x))
def f(x):\\n    def g(y):\\n        return y * x\\n    return g(x)
def f(x):\\n    return (y := x + 1) * y
"""
# With so many names that 0x2f and 0x5c both number one: what Keras on Windows does to it can't
# be undone in one way only, and in the second there are more places than can be tried.
NAMES = [f"x.a{number}" for number in range(93)]
AMBIGUOUS = [
    f"def f(x):\n    a, b = x\n    return ({', '.join([*NAMES, *more])})"
    for more in ([], ["x.a47"] * 7)
]
OF_AMBIGUOUS = ("3.8",)


def interpreters() -> dict[str, Path]:
    """Return a Python of each minor version that is here."""
    found: dict[str, Path] = {}
    for version, path in installed_pythons():
        minor = ".".join((version or "").split(".")[:2])
        if minor in MINORS:
            found.setdefault(minor, path)
    return {minor: found[minor] for minor in MINORS if minor in found}


def main() -> None:
    sources = [line.replace("\\n", "\n") for line in SOURCES.strip().split("\n")] + AMBIGUOUS
    samples = [{"source": source, "codes": {}} for source in sources]
    for minor, path in interpreters().items():
        done = subprocess.run(
            [str(path), "-W", "ignore", str(PROJECT / "tests" / "interpreters" / "compiling.py")],
            input=json.dumps([(source, []) for source in sources]) + "\n",
            capture_output=True,
            text=True,
            check=True,
        )
        for sample, code in zip(samples, json.loads(done.stdout)):
            if code is not None and (sample["source"] not in AMBIGUOUS or minor in OF_AMBIGUOUS):
                sample["codes"].setdefault(code, []).append(minor)
    text = json.dumps(samples, indent=1) + "\n"
    (PROJECT / "tests" / "unit" / "code_samples.json").write_text(text)


if __name__ == "__main__":
    main()
