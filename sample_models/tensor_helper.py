"""Story 2, the working twin: the same helper with TensorFlow's own tanh.

It trains and predicts. But the file holds neither the helper nor the name `tf`, so plain
Keras cannot use it in another process.

usage: python tensor_helper.py FOLDER      (writes tensor_helper.h5 and tensor_helper.keras)
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf


def custom_activation(x):
    return tf.tanh(x)


folder = sys.argv[1]
model = tf.keras.Sequential(
    [
        tf.keras.layers.Input((10,)),
        tf.keras.layers.Lambda(lambda x: custom_activation(x)),
        tf.keras.layers.Dense(5),
    ]
)
model.compile(optimizer="sgd", loss="mean_squared_error")
x = np.linspace(-1, 1, 320, dtype="float32").reshape(32, 10)
model.fit(x, x[:, :5] * 3, epochs=2, verbose=0)

model.save(os.path.join(folder, "tensor_helper.h5"))
model.save(os.path.join(folder, "tensor_helper.keras"))
