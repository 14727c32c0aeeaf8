"""A replayed model beside the same model in this process: the smallest call, and a large batch.

usage: python benchmarks/session.py FOLDER      (saves its model there, then replays it)
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

import capsule

BATCH = 100 * 1024 * 1024 // (256 * 4)  # rows of 256 numbers: 100 MB


def medians(turns: int, *calls: Callable[[], object]) -> list[float]:
    """Return each call's median in seconds, called in turn."""
    times: list[list[float]] = [[] for _ in calls]
    for turn in range(turns + 1):
        for call, seconds in zip(calls, times):
            started = time.perf_counter()
            call()
            if turn:
                seconds.append(time.perf_counter() - started)
    return [statistics.median(seconds) for seconds in times]


def main() -> None:
    folder = Path(sys.argv[1])
    keras = tf.keras
    model = keras.Sequential(
        [keras.Input((256,)), keras.layers.Dense(64), keras.layers.Lambda(lambda x: x * 2)]
    )
    path = folder / "session.keras"
    capsule.save(model, path)
    small, large = np.ones((1, 256), "float32"), np.ones((BATCH, 256), "float32")
    with capsule.replay(path, safe_mode=False) as remote:
        np.testing.assert_allclose(remote(small), model(small), rtol=1e-5)
        here, there = medians(
            200, lambda: np.asarray(model(small, training=False)), lambda: remote(small)
        )
        print(
            f"smallest call: {here * 1e3:.2f} ms here, {there * 1e3:.2f} ms there:"
            f" {(there - here) * 1e3:.2f} ms over"
        )
        here, there = medians(
            5,
            lambda: model.predict(large, batch_size=4096, verbose=0),
            lambda: remote.predict(large, batch_size=4096),
        )
        print(f"predict on 100 MB: {here:.2f} s here, {there:.2f} s there: {there / here:.2f}x")


if __name__ == "__main__":
    main()
