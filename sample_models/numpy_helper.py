"""Story 2: a lambda calls a helper, and the helper uses numpy on a tensor.

Keras 2 refuses to build this. Keras 3 builds nothing, says nothing, and saves a file
without the weights of the Dense layer.

usage: python numpy_helper.py FOLDER      (writes numpy_helper.h5 and numpy_helper.keras)
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf


def custom_activation(x):
    return np.tanh(x)


folder = sys.argv[1]
model = tf.keras.Sequential(
    [
        tf.keras.layers.Input((10,)),
        tf.keras.layers.Lambda(lambda x: custom_activation(x)),
        tf.keras.layers.Dense(5),
    ]
)
model.save(os.path.join(folder, "numpy_helper.h5"))
model.save(os.path.join(folder, "numpy_helper.keras"))
