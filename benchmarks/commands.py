"""What `capsule verify` and `inspect` cost beside what everybody knows, in turn, in one run.

usage: python commands.py MODEL [RUNS]      (MODEL has a sidecar)
"""

import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import typer": ["-c", "import typer"],
    "import pyfive": ["-c", "import pyfive"],
    "import capsule": ["-c", "import capsule"],
    "capsule --help": ["-m", "capsule", "--help"],
    "capsule verify": ["-m", "capsule", "verify"],
    "capsule inspect": ["-m", "capsule", "inspect"],
    "pip check": ["-m", "pip", "check"],
}


def main():
    model, runs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 9
    times = {name: [] for name in COMMANDS}
    for turn in range(runs + 1):
        for name, words in COMMANDS.items():
            extra = [model] if name in ("capsule verify", "capsule inspect") else []
            started = time.perf_counter()
            subprocess.run([sys.executable, *words, *extra], capture_output=True)
            if turn:  # the first turn warms the caches
                times[name].append(time.perf_counter() - started)
    base = statistics.median(times["python -c pass"])
    print(f"{'command':<18}{'median ms':>10}{'× python -c pass':>18}   ({runs} runs each, in turn)")
    for name, found in times.items():
        median = statistics.median(found)
        print(f"{name:<18}{median * 1000:>10.0f}{median / base:>18.1f}")


if __name__ == "__main__":
    main()
