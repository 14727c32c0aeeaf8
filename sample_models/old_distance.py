"""Story 5: a file of 2018, with nothing beside it.

usage: python old_distance.py FOLDER      (writes old_distance.h5 there)

old_distance.h5 in this folder was written by Python 3.7.16, Keras 2.2.4 over TensorFlow 1.15.0.
"""

import os
import sys

import numpy as np
from keras import backend as K
from keras.layers import Dense, Input, Lambda
from keras.models import Model

margin = 0.5


def distance(pair):
    """How far the two are apart, beyond a margin."""
    one, other = pair
    apart = K.sqrt(K.sum(K.square(one - other), axis=1, keepdims=True) + K.epsilon())
    return K.maximum(apart - margin, 0.0)


one, other = Input((4,), name="one"), Input((4,), name="other")
dense = Dense(3, activation="relu", name="embedding", kernel_initializer="ones")
model = Model([one, other], Lambda(distance, name="distance")([dense(one), dense(other)]))
model.save(os.path.join(sys.argv[1], "old_distance.h5"))
x = np.linspace(-1, 1, 24, dtype="float32").reshape(2, 3, 4)
print(model.predict([x[0], x[1]]).tolist())
