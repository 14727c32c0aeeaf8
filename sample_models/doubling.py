"""Story 1: a lambda that needs nothing but its argument.

usage: python doubling.py FOLDER      (writes doubling.h5 and doubling.keras there)
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

folder = sys.argv[1]
model = tf.keras.Sequential(
    [
        tf.keras.layers.Input((10,)),
        tf.keras.layers.Lambda(lambda x: x * 2),
        tf.keras.layers.Dense(5),
    ]
)
model.compile(optimizer="sgd", loss="mean_squared_error")
x = np.linspace(-1, 1, 320, dtype="float32").reshape(32, 10)
model.fit(x, x[:, :5] * 3, epochs=2, verbose=0)

model.save(os.path.join(folder, "doubling.h5"))
model.save(os.path.join(folder, "doubling.keras"))
