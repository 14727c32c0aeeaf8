"""Models of many shapes, each with its functions; run as a script they are saved under the hook.

usage: python shapes.py FOLDER
"""

import functools
import os
import sys

import numpy as np
import tensorflow as tf

K = tf.keras
L = K.layers
X = np.linspace(-1, 1, 8, dtype="float32").reshape(2, 4)
SCALE, TABLE, PAIR = 3.0, np.array([1.0, 2.0, 3.0, 4.0], "float32"), (2.0, 5.0)
VARIABLE = tf.Variable(2.0)
CASES = {}


def case(build):
    CASES[build.__name__] = build
    return build


def one(layer):
    inputs = K.Input((4,))
    return K.Model(inputs, layer(inputs))


def helper(x):
    return tf.square(x) + SCALE


def scaled(n):
    return lambda x: x * n


def relu(x):
    return x * 2.0


def act(x):
    return x * 0.25


act.factor = 4.0


class Doubler:
    def double(self, x):
        return x * 2.0

    def __call__(self, x):
        return x * 3.0


class Ones(K.initializers.Initializer):
    def __call__(self, shape, dtype=None):
        return tf.ones(shape, dtype or "float32")

    def get_config(self):
        return {}


class MyLoss(K.losses.Loss):
    def call(self, a, b):
        return tf.reduce_mean(tf.abs(a - b))


class Twice(L.Layer):
    def call(self, x):
        return x * 2.0


@case
def pure():
    return one(L.Lambda(lambda x: x * 2))


@case
def same_lambda_twice():
    def double(x):
        return L.Lambda(lambda t: t * 2.0)(x)

    inputs = K.Input((4,))
    return K.Model(inputs, double(double(inputs)))


@case
def one_factory_two_values():
    inputs = K.Input((4,))
    return K.Model(inputs, L.Lambda(scaled(3.0))(L.Lambda(scaled(2.0))(inputs)))


@case
def one_factory_two_functions():
    def apply(f):
        return L.Lambda(lambda x: f(x))

    inputs = K.Input((4,))
    return K.Model(inputs, apply(lambda x: x + 1.0)(apply(lambda x: x * 5.0)(inputs)))


@case
def helper_and_constants():
    return one(L.Lambda(lambda x: helper(x) * TABLE + PAIR[1]))


@case
def closure_over_an_array():
    table = TABLE
    return one(L.Lambda(lambda x: x + float((table * 2)[0])))


@case
def closure_over_a_tuple():
    pair = (2.0, 3.0)
    return one(L.Lambda(lambda x: x * pair[1]))


@case
def closure_over_a_dict():
    options = {"a": 2.0}
    return one(L.Lambda(lambda x: x * options["a"]))


@case
def defaults():
    return one(L.Lambda(lambda x, k=3.0: x * k))


@case
def default_tuple():
    return one(L.Lambda(lambda x, k=(3.0, 4.0): x * k[1] + len(k + (1,))))


@case
def keyword_only():
    return one(L.Lambda(lambda x, *, k=3.0: x * k))


@case
def arguments():
    return one(L.Lambda(lambda x, f: x * f, arguments={"f": 2.5}))


@case
def argument_tuple():
    return one(L.Lambda(lambda x, f: x * (f + (1.0,))[0], arguments={"f": (2.5,)}))


@case
def named():
    return one(L.Lambda(act))


@case
def attribute_of_a_function():
    return one(L.Lambda(lambda x: x * act.factor))


@case
def name_of_keras():
    inputs = K.Input((4,))
    return K.Model(inputs, L.Dense(4, activation=relu)(L.Dense(4, activation="relu")(inputs)))


@case
def library_function():
    return one(L.Lambda(tf.nn.relu))


@case
def library_function_unknown_to_keras():
    return one(L.Lambda(tf.sin))


@case
def bound_method():
    return one(L.Dense(4, activation=Doubler().double))


@case
def callable_instance():
    return one(L.Lambda(lambda x: Doubler()(x)))


@case
def partial():
    return one(L.Lambda(lambda x: functools.partial(tf.multiply, y=2.0)(x)))


@case
def compiled_helper():
    inner = tf.function(lambda x: x * 2.0)
    return one(L.Lambda(lambda x: inner(x)))


@case
def activation_lambda():
    return one(L.Dense(4, activation=lambda x: x * 0.5))


@case
def variable():
    return one(L.Lambda(lambda x: x * VARIABLE))


@case
def hidden_names():
    return one(L.Lambda(lambda x: eval("x * SCALE")))


@case
def random_numbers():
    return one(L.Lambda(lambda x: x + tf.random.normal(tf.shape(x))))


@case
def initializer_class():
    return one(L.Dense(4, kernel_initializer=Ones()))


@case
def loss_class():
    model = one(L.Dense(4))
    model.compile("sgd", MyLoss())
    return model


@case
def loss_function():
    def my_loss(a, b):
        return tf.reduce_mean(tf.abs(a - b))

    model = one(L.Dense(4))
    model.compile("sgd", my_loss, weighted_metrics=[my_loss])
    return model


@case
def registered_loss():
    saving = K.saving if hasattr(K.saving, "register_keras_serializable") else K.utils

    @saving.register_keras_serializable(package="lab")
    def registered(a, b):
        return tf.reduce_mean(tf.abs(a - b))

    model = one(L.Dense(4))
    model.compile("sgd", registered)
    return model


@case
def own_name():
    return one(L.Lambda(lambda x: x * float(len(__name__))))


@case
def closure_over_bytes():
    raw = b"abc"
    return one(L.Lambda(lambda x: x * len(raw)))


@case
def layer_class():
    return one(Twice())


@case
def import_in_the_body():
    def body(x):
        import math

        return x * math.pi

    return one(L.Lambda(body))


@case
def output_shape_function():
    return one(L.Lambda(lambda x: x[:, :2], output_shape=lambda shape: (shape[0], 2)))


@case
def mask_function():
    return one(L.Lambda(lambda x: x * 2, mask=lambda x, mask=None: mask))


@case
def wrapped():
    inputs = K.Input((4,))
    y = L.TimeDistributed(L.Lambda(lambda x: x * 2 + 1))(L.Reshape((2, 2))(inputs))
    return K.Model(inputs, L.Flatten()(y))


def main():
    folder = sys.argv[1]
    for name, build in CASES.items():
        try:
            model = build()
            y = model.predict(X, verbose=0)
        except Exception as error:  # what this Keras can't build is no case of its own
            print("cannot build", name, error)
            continue
        np.savez(os.path.join(folder, name + ".npz"), x=X, y=y)
        for ending in (".h5", ".keras"):
            try:
                model.save(os.path.join(folder, name + ending))
            except Exception as error:
                print("cannot save", name, ending, error)


if __name__ == "__main__":
    main()
