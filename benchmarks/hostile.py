"""Hostile input by the hundred thousand: what reading does with bytes that nobody wrote.

usage: python benchmarks/hostile.py [--count N] [--seeds FOLDER] [--guided SECONDS]

Mutates marshalled code of every Python found here, configurations, HDF5 and archives, and
reads each in this very process. Counts what must never happen: an exception of another kind,
a second passed, 256 MiB taken, an import, an execution, another file opened. ``--guided``
lets a coverage-guided fuzzer (atheris, if it is installed) look for more of it.
"""

from __future__ import annotations

import argparse
import base64
import codecs
import contextlib
import io
import json
import random
import resource
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parent.parent
sys.path.insert(0, str(PROJECT))

GUIDED = "--guided" in sys.argv
if GUIDED:
    import atheris

# A fuzzer that is led by what code is reached has to see it being imported.
with atheris.instrument_imports(include=["capsule"]) if GUIDED else contextlib.nullcontext():
    from capsule.artifact import hdf5, json_file, keraszip  # noqa: F401 - imported when needed
    from capsule.artifact.files import identify
    from capsule.bytecode.detect_python import detect_python_versions
    from capsule.bytecode.unmarshal import MarshalError
    from capsule.errors import CapsuleError
    from capsule.inspection.functions import read_here
    from capsule.rebuild.python_discovery import installed_pythons
from tests.interpreters.samples import SOURCES  # noqa: E402

MEMORY = 256 * 1024 * 1024
FORBIDDEN = {
    "exec",
    "marshal.loads",
    "pickle.find_class",
    "subprocess.Popen",
    "os.system",
    "ctypes.dlopen",
    "socket.connect",
    "import",
}
Read = Callable[[bytes], None]


class Watch:
    """Tells what was done while an input was read: executed, imported, opened."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.on = str(folder), False
        self.seen: list[str] = []
        sys.addaudithook(self.hear)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        name = str(arguments[0]) if arguments else ""
        if event == "open" and name and not name.startswith(self.folder):
            self.seen.append(f"open {arguments[0]}")
        elif event == "compile" and arguments[1] not in ("", "<string>", None):
            self.seen.append(f"compile {arguments[1]}")
        elif event in FORBIDDEN:
            self.seen.append(f"{event} {str(arguments)[:80]}")


def marshalled() -> Iterator[bytes]:
    """Give code of every Python found: the samples of the tests, as each compiles them."""
    compiling = PROJECT / "tests" / "interpreters" / "compiling.py"
    seen = set()
    for version, path in installed_pythons():
        minor = ".".join((version or "?").split(".")[:2])
        if minor in seen or version is None:
            continue
        seen.add(minor)
        done = subprocess.run(
            [str(path), "-W", "ignore", str(compiling)],
            input=json.dumps(SOURCES) + "\n",
            capture_output=True,
            text=True,
        )
        for one in json.loads(done.stdout) if done.returncode == 0 else ():
            if one is not None:
                yield base64.b64decode(one)


def configurations(codes: list[bytes]) -> Iterator[bytes]:
    """Give architectures of all Kerases that carry a function."""
    for code in codes[::7]:
        listed = base64.b64encode(code).decode() + "\n"
        raw = code.decode("raw_unicode_escape")
        three = {
            "class_name": "__lambda__",
            "config": {"code": listed, "defaults": None, "closure": None},
        }
        for function, more in (
            (raw, {"function_type": "lambda"}),
            ([listed, None, None], {"function_type": "lambda", "output_shape": [4]}),
            (three, {}),
        ):
            layer = {
                "name": "a",
                "class_name": "Lambda",
                "inbound_nodes": [[["x", 0, 0, {}]]],
                "config": {"name": "a", "function": function, "arguments": {}, **more},
            }
            start = {
                "name": "x",
                "class_name": "InputLayer",
                "inbound_nodes": [],
                "config": {"batch_input_shape": [None, 4], "name": "x"},
            }
            yield json.dumps(
                {
                    "class_name": "Model",
                    "keras_version": "2.2.4",
                    "backend": "tensorflow",
                    "config": {
                        "name": "m",
                        "layers": [start, layer],
                        "input_layers": [["x", 0, 0]],
                        "output_layers": [["a", 0, 0]],
                    },
                }
            ).encode()


def archives(configs: list[bytes]) -> Iterator[bytes]:
    for config in configs[::5]:
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w", random.choice([0, 8])) as archive:
            archive.writestr("metadata.json", '{"keras_version": "3.5.0"}')
            archive.writestr("config.json", config)
            archive.writestr("model.weights.h5", b"\x89HDF\r\n\x1a\n" + bytes(64))
        yield held.getvalue()


def hdf5(configs: list[bytes]) -> Iterator[bytes]:
    import h5py

    for config in configs[::9]:
        held = io.BytesIO()
        with h5py.File(held, "w") as file:
            file.attrs["keras_version"] = "2.2.4"
            file.attrs["model_config"] = config.decode()[:60_000]
            file.create_group("model_weights/a").attrs["weight_names"] = [b"a/kernel:0"]
        yield held.getvalue()


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Return *data* with some of it changed, cut, doubled or put elsewhere."""
    made = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 1, 2, 6))):
        at = chance.randrange(len(made) + 1)
        how = chance.randrange(6)
        if how == 0:
            made[at : at + 1] = bytes([chance.randrange(256)])
        elif how == 1:
            made[at : at + 1] = bytes([made[at] ^ 1 << chance.randrange(8)]) if made[at:] else b""
        elif how == 2:
            del made[at : at + chance.randrange(1, 9)]
        elif how == 3:
            made[at:at] = made[at : at + chance.randrange(1, 33)]
        elif how == 4:
            made[at : at + 4] = chance.choice((b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\xff" * 4))
        else:
            other = chance.randrange(len(made) + 1)
            made[at : at + 8] = made[other : other + 8]
    return bytes(made)


def code_reader(data: bytes) -> None:
    detect_python_versions(data)


def file_reader(path: Path) -> Read:
    def read(data: bytes) -> None:
        path.write_bytes(data)
        read_here(path, identity=identify(path))

    return read


def tried(read: Read, data: bytes, watch: Watch) -> str:
    """Return how reading *data* went: read, refused, or what must never happen."""
    watch.seen.clear()
    late.clear()
    signal.setitimer(signal.ITIMER_PROF, 1.0)
    watch.on = True
    try:
        read(data)
        outcome = "read"
    except (CapsuleError, MarshalError):
        outcome = "refused"
    except MemoryError:
        outcome = "MEMORY"
    except BaseException as error:
        outcome = f"EXCEPTION {type(error).__name__}: {str(error)[:100]}"
    watch.on = False
    signal.setitimer(signal.ITIMER_PROF, 0)
    if late:
        return f"HANG {late[0]}"
    return f"DID {watch.seen[0]}" if watch.seen else outcome


late: list[str] = []


def _late(_: int, frame: Any) -> None:
    late.append(f"{frame.f_code.co_name} in {Path(frame.f_code.co_filename).name}")
    if late[1:]:
        raise TimeoutError
    signal.setitimer(signal.ITIMER_PROF, 9.0)  # it may still end by itself


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--guided", type=int, default=0)
    parser.add_argument("--kept", type=Path, default=Path("hostile-findings"))
    asked = parser.parse_args()
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="hostile-"))
    codes = list(marshalled())
    configs = list(configurations(codes))
    kinds: list[tuple[str, list[bytes], Read, float]] = [
        ("marshal", codes, code_reader, 0.5),
        ("config", configs, file_reader(folder / "a.json"), 0.2),
        ("zip", list(archives(configs)), file_reader(folder / "a.keras"), 0.15),
        ("h5", list(hdf5(configs)), file_reader(folder / "a.h5"), 0.15),
    ]
    for codec in ("unicode_escape", "raw_unicode_escape", "utf-8-sig", "idna"):
        codecs.lookup(codec)  # imported when first asked for
    watch = Watch(folder)
    signal.signal(signal.SIGPROF, _late)  # of its own time: the machine may be busy
    for name, seeds, read, _ in kinds:
        for one in seeds[:3]:  # what reading imports is imported by now
            print(name, tried(read, one, watch))
    used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (used + MEMORY, resource.RLIM_INFINITY))
    if asked.guided:
        guided(kinds, watch, asked.guided)
        return
    chance = random.Random(0)
    wrong = 0
    for name, seeds, read, share in kinds:
        counted: Counter[str] = Counter()
        slowest, began = 0.0, time.perf_counter()
        count = int(asked.count * share)
        for _ in range(count):
            data = mutated(chance.choice(seeds), chance)
            start = time.perf_counter()
            outcome = tried(read, data, watch)
            slowest = max(slowest, time.perf_counter() - start)
            counted[outcome] += 1
            if outcome not in ("read", "refused"):
                wrong += 1
                asked.kept.mkdir(exist_ok=True)
                (asked.kept / f"{name}-{wrong}").write_bytes(data)
                print(f"{name}-{wrong}: {outcome}")
        each = (time.perf_counter() - began) / count * 1000
        print(
            f"{name}: {count} inputs, {dict(counted)}, {each:.2f} ms each, {slowest:.2f} s at most"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{wrong} of {asked.count} went wrong; {peak} MiB at most, the libraries included")
    sys.exit(1 if wrong else 0)


def guided(kinds: list[tuple[str, list[bytes], Read, float]], watch: Watch, seconds: int) -> None:
    """Let atheris look for inputs that go wrong, led by what code they reach."""
    readers = [read for _, _, read, _ in kinds]
    corpus = Path(watch.folder, "corpus")
    corpus.mkdir()
    for kind, (_, seeds, _, _) in enumerate(kinds):
        for number, seed in enumerate(seeds[:200]):
            (corpus / f"{kind}-{number}").write_bytes(bytes([kind]) + seed)

    def one(data: bytes) -> None:
        if not data:
            return
        outcome = tried(readers[data[0] % len(readers)], data[1:], watch)
        if outcome not in ("read", "refused"):
            raise AssertionError(outcome)

    atheris.Setup([sys.argv[0], str(corpus), f"-max_total_time={seconds}", "-max_len=20000"], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
