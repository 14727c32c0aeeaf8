"""What the hook adds to `model.save`, apart: capture, environment, digest, probe.

usage: python saving.py [RUNS] [--distributions N] [--mlflow]

Everything is measured in one process and one run, and told as a ratio. With
--distributions as many are installed, for reading, as a folder of copies of real metadata.
With --mlflow, where it is installed, `mlflow.tensorflow.save_model` saves the same model.
"""

import argparse
import hashlib
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf

import capsule
from capsule.artifact import identify, open_artifact
from capsule.capture import recording
from capsule.capture.context import make_context
from capsule.capture.graph import ImportGraph
from capsule.capture.options import SaveOptions
from capsule.capture.origins import Origins
from capsule.capture.probing import record_probe
from capsule.environment import live_environment, read_distributions
from capsule.guest import keras_adapter, probe
from capsule.manifest.files import write_manifest

LAYERS = tf.keras.layers


def models():
    """Give a tiny model and one of 100 MB."""
    for name, width in (("tiny", 5), ("100 MB", 5000)):
        layers = [LAYERS.Input((width,)), LAYERS.Lambda(lambda x: x * 2)]
        yield name, tf.keras.Sequential([*layers, LAYERS.Dense(width)])


def timed(act, runs):
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        act()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def in_turn(acts, runs):
    """Return the median of each act, all of them run in turn: what slows one slows all."""
    times = {name: [] for name in acts}
    for _ in range(runs):
        for name, act in acts.items():
            times[name].append(timed(act, 1))
    return {name: statistics.median(found) for name, found in times.items()}


def hashed(path):
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)


def pad_environment(wanted, folder):
    """Put copies of real metadata on sys.path until *wanted* distributions are installed."""
    site = Path(np.__file__).parent.parent
    real = sorted(site.glob("*.dist-info"))
    for number in range(max(0, wanted - len(real))):
        source = real[number % len(real)]
        target = folder / f"padding{number}-1.0.dist-info"
        target.mkdir()
        text = (source / "METADATA").read_text(encoding="utf-8").splitlines(True)
        named = [f"Name: padding{number}\n" if line.startswith("Name: ") else line for line in text]
        (target / "METADATA").write_text("".join(named), encoding="utf-8")
        if (source / "RECORD").exists():
            shutil.copy(source / "RECORD", target)
    sys.path.append(str(folder))


def environment_read():
    paths = live_environment().paths
    started = time.perf_counter()
    found = read_distributions(paths)
    spent = (time.perf_counter() - started) * 1000
    print(
        f"environment: {len(found)} distributions in {spent:.0f} ms,"
        f" {spent / len(found):.2f} ms each; read at the first save"
    )


def one_model(name, model, folder, runs):
    path = str(folder / "m.keras")
    first = timed(lambda: capsule.save(model, path), 1)
    bare = SaveOptions(probe=False)
    manifest = recording.record_model(model, path, bare)
    facts = manifest.model
    inputs = probe.make_inputs(record_probe(model, facts, True, whole=True).inputs)

    def capture():
        recorded = recording.record_model(model, path, bare)
        write_manifest(recorded, folder / "m.keras.capsule.json")

    got = in_turn(
        {
            "model.save": lambda: model.save(path),
            "capsule.save, later": lambda: capsule.save(model, path),
            "capture with digest": capture,
            "digest": lambda: identify(path),
            "hashing the file": lambda: hashed(path),
            "configuration": lambda: open_artifact(path),
            "probe": lambda: record_probe(model, facts, True, whole=True),
            "model(x)": lambda: keras_adapter.call(model, inputs),
        },
        runs,
    )
    plain = got["model.save"]
    own = got["capture with digest"] - got["digest"]
    print(f"\n{name}: {os.path.getsize(path) / 1e6:.1f} MB, model.save {plain:.1f} ms")
    print(f"  first save of a process   {first:8.1f} ms")
    print(
        f"  later saves               {got['capsule.save, later']:8.1f} ms  "
        f"{got['capsule.save, later'] / plain:.2f} × model.save"
    )
    print(f"  capture and sidecar       {own:8.1f} ms  {own / plain:.2f} × model.save")
    print(
        f"  digest                    {got['digest']:8.1f} ms  "
        f"{got['digest'] / got['hashing the file']:.2f} × hashing the file"
    )
    print(
        f"  probe                     {got['probe']:8.1f} ms  "
        f"{got['probe'] / got['model(x)']:.2f} × one model(x)"
    )


def growth():
    """Print how capture grows in Lambda layers and in the length of a helper chain."""
    print("\ngrowth: capture alone, milliseconds")
    for count in (250, 500, 1000):
        graph = ImportGraph(
            make_context(Origins(live_environment().paths), Path.cwd(), SaveOptions())
        )
        functions = [eval(f"lambda x: x * {n}") for n in range(count)]
        spent = timed(lambda g=graph, f=functions: [g.add(one) for one in f], 1)
        scope = {"__name__": "__main__"}
        source = "".join(f"def f{n}(x):\n    return f{n + 1}(x)\n" for n in range(count))
        exec(source + f"def f{count}(x):\n    return x\n", scope)
        chain = ImportGraph(
            make_context(Origins(live_environment().paths), Path.cwd(), SaveOptions())
        )
        linked = timed(lambda g=chain, s=scope: g.add(s["f0"]), 1)
        print(f"  {count:>5} lambdas {spent:8.1f}   a chain of {count:>5} {linked:8.1f}")
    for count in (250, 500, 1000):
        inputs = LAYERS.Input((3,))
        # Side by side: Keras itself recurses through a chain, and not 1,000 deep.
        made = [LAYERS.Lambda(lambda x, n=number: x + n)(inputs) for number in range(count)]
        model = tf.keras.Model(inputs, LAYERS.Add()(made))
        path = os.path.join(tempfile.mkdtemp(), "many.h5")
        saved = timed(lambda m=model, p=path: m.save(p), 1)
        options = SaveOptions(probe=False)
        spent = timed(lambda m=model, p=path, o=options: recording.record_model(m, p, o), 1)
        print(f"  {count:>5} Lambda layers: model.save {saved:8.1f}, capture {spent:8.1f}")


def with_mlflow(model, folder):
    """Save the same model with mlflow, its requirements inferred and given."""
    try:
        import mlflow
    except ImportError:
        print("\nmlflow is not installed here")
        return
    path = str(folder / "m.keras")
    plain = timed(lambda: model.save(path), 5)
    own = timed(lambda: capsule.save(model, path), 5)
    print(
        f"\nmlflow {mlflow.__version__}, the tiny model; model.save {plain:.1f} ms,"
        f" capsule.save {own:.1f} ms ({own / plain:.1f} ×)"
    )
    for name, given in (("given", ["tensorflow"]), ("inferred", None)):
        target = str(folder / f"mlflow-{name}")
        try:
            spent = timed(
                lambda t=target, g=given: mlflow.tensorflow.save_model(
                    model, t, pip_requirements=g
                ),
                1,
            )
            print(
                f"  requirements {name}: {spent:.0f} ms, {spent / plain:.0f} × model.save,"
                f" {spent / own:.0f} × capsule.save"
            )
        except Exception as error:  # noqa: BLE001 - whatever it raises is the result
            print(f"  requirements {name}: {type(error).__name__}: {str(error)[:200]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="?", type=int, default=15)
    parser.add_argument("--distributions", type=int, default=300)
    parser.add_argument("--mlflow", action="store_true")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    (folder / "padding").mkdir()
    pad_environment(args.distributions, folder / "padding")
    environment_read()
    tiny = None
    for name, model in models():
        tiny = tiny or model
        one_model(name, model, folder, args.runs)
    growth()
    if args.mlflow:
        with_mlflow(tiny, folder)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
