"""What the files of the older environments lack, as somebody who has their script could give it."""

import numpy as np
import tensorflow as tf

try:
    import keras
except ImportError:  # in TensorFlow up to 2.5 Keras is a part of it
    from tensorflow import keras

SCALE = 3


def helper(x):
    return tf.square(x) + 1.0


def custom_activation(x):
    return np.tanh(x)


class FnLayer(keras.layers.Layer):
    """A layer around a function, of which Keras 2 writes no more than "<lambda>"."""

    def __init__(self, fn, **kw):
        super().__init__(**kw)
        self.fn = (lambda x: x * 6) if fn == "<lambda>" else fn

    def call(self, x):
        return self.fn(x)

    def compute_output_shape(self, s):
        return s
