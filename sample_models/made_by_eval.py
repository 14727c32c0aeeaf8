"""Story 3: a lambda made by eval. Its source text exists nowhere.

usage: python made_by_eval.py FOLDER      (writes made_by_eval.h5 and made_by_eval.keras)
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

folder = sys.argv[1]
offset = 5
add_offset = eval("lambda x: x + " + str(offset))

model = tf.keras.Sequential(
    [
        tf.keras.layers.Input((10,)),
        tf.keras.layers.Lambda(add_offset),
        tf.keras.layers.Dense(5),
    ]
)
model.save(os.path.join(folder, "made_by_eval.h5"))
model.save(os.path.join(folder, "made_by_eval.keras"))
