"""What the hook adds to `model.save`, apart: digest, probe, capture, the sidecar.

usage: python saving.py [RUNS]
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import tensorflow as tf

import capsule
from capsule.artifact import identify, open_artifact
from capsule.capture import recording
from capsule.capture.probing import record_probe
from capsule.guest import kerases, probe
from capsule.sidecar import write_manifest


def models():
    """Give a tiny model and one of 100 MB."""
    for name, width in (("tiny", 5), ("100 MB", 5000)):
        layers = [tf.keras.layers.Input((width,)), tf.keras.layers.Lambda(lambda x: x * 2)]
        yield name, tf.keras.Sequential([*layers, tf.keras.layers.Dense(width)])


def timed(act, runs):
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        act()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    folder = Path(tempfile.mkdtemp())
    print(f"median of {runs}, milliseconds; the first save of a process also reads the environment")
    for name, model in models():
        path = str(folder / "m.keras")
        started = time.perf_counter()
        capsule.save(model, path)
        first = (time.perf_counter() - started) * 1000
        plain = timed(lambda m=model, p=path: m.save(p), runs)
        whole = timed(lambda m=model, p=path: capsule.save(m, p), runs)
        without = timed(lambda m=model, p=path: capsule.save(m, p, probe=False), runs)
        digest = timed(lambda p=path: identify(p), runs)
        read = timed(lambda p=path: open_artifact(p), runs)
        bare = recording.Options(probe=False)
        manifest = recording.record_model(model, path, bare)
        facts = manifest.model
        walked = timed(lambda m=model, p=path, o=bare: recording.record_model(m, p, o), runs)
        written = timed(lambda m=manifest: write_manifest(m, folder / "m.keras.capsule.json"), runs)
        probed = timed(lambda m=model, f=facts: record_probe(m, f, True, whole=True), runs)
        inputs = probe.make_inputs(record_probe(model, facts, True, whole=True).inputs)
        called = timed(lambda m=model, x=inputs: kerases.call(m, x), runs)
        print(f"\n{name}: {os.path.getsize(path) / 1e6:.1f} MB")
        rows = {
            "model.save": plain, "capsule.save, first": first, "capsule.save, later": whole,
            "  of it the digest": digest, "  of it the probe": probed,
            "  of it the capture": max(0.0, walked - digest),
            "    of that the configuration": max(0.0, read - digest),
            "  of it writing the sidecar": written, "one model(x)": called,
            "capsule.save without probe": without,
        }  # fmt: skip
        for label, value in rows.items():
            print(f"  {label:<30}{value:>9.1f}   {value / plain:>6.2f} × model.save")


if __name__ == "__main__":
    main()
