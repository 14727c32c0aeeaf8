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


class Filled(K.initializers.Initializer):
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
    return one(L.Dense(4, kernel_initializer=Filled()))


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

    @K.utils.register_keras_serializable(package="lab")
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


class Scale:
    """Called like a function, with a number of its own."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, x):
        return x * self.factor


class Base(L.Layer):
    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.kernel = None

    def build(self, shape):
        self.kernel = self.add_weight(name="k", shape=(int(shape[-1]), self.units))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Projected(Base):
    """A layer with weights, a base class of the user's, and a helper."""

    def call(self, x):
        return helper(tf.matmul(x, self.kernel))


class Applied(L.Layer):
    def __init__(self, fn, **kwargs):
        super().__init__(**kwargs)
        self.fn = fn

    def call(self, x):
        return self.fn(x)

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        return {**super().get_config(), "fn": self.fn}


class Many(L.Layer):
    def __init__(self, functions, **kwargs):
        super().__init__(**kwargs)
        self.functions = functions

    def call(self, x):
        for function in self.functions:
            x = function(x)
        return x

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        return {**super().get_config(), "functions": list(self.functions)}


class Cell(L.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = self.output_size = units

    def build(self, shape):
        self.kernel = self.add_weight(name="k", shape=(int(shape[-1]), self.units))

    def call(self, x, states):
        y = helper(tf.matmul(x, self.kernel)) * 0.01 + states[0]
        return y, [y]

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Positive(K.constraints.Constraint):
    def __call__(self, w):
        return tf.abs(w)


class Whole(K.Model):
    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.first = L.Dense(units)
        self.second = L.Lambda(lambda x: helper(x))

    def call(self, x):
        return self.second(self.first(x))

    def get_config(self):
        return {"units": self.units}


@tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32)])
def compiled(x):
    return x * SCALE


@tf.custom_gradient
def clipped(x):
    return x * 2.0, lambda upstream: tf.clip_by_value(upstream, -1.0, 1.0)


CONSTANT = tf.constant([1.0, 2.0, 3.0, 4.0])
KIND = tf.float32


@K.utils.register_keras_serializable(package="lab")
class Registered(Applied):
    pass


@case
def layer_with_weights():
    return one(Projected(3))


@case
def layer_given_a_lambda():
    return one(Applied(lambda x: x * SCALE))


@case
def layer_given_a_def():
    return one(Applied(helper))


@case
def registered_layer():
    return one(Registered(lambda x: x + PAIR[0]))


@case
def layer_given_many():
    return one(Many([lambda x: x * 2, helper, lambda x: x - 1]))


@case
def cell():
    inputs = K.Input((4,))
    return K.Model(inputs, L.RNN(Cell(3))(L.Reshape((2, 2))(inputs)))


@case
def nested_model():
    inner = K.Sequential([K.Input((4,)), L.Lambda(lambda x: helper(x)), Projected(2)])
    return one(inner)


@case
def recurrent_activation():
    inputs = K.Input((4,))
    return K.Model(inputs, L.LSTM(3, activation=act)(L.Reshape((2, 2))(inputs)))


@case
def masked():
    inputs = K.Input((4,))
    x = L.Reshape((4, 1))(inputs)
    x = L.Lambda(lambda t: t * 1.0, mask=lambda t, mask=None: t[:, :, 0] > PAIR[0] - 2.0)(x)
    return K.Model(inputs, L.LSTM(2)(x))


@case
def argument_array():
    return one(L.Lambda(lambda x, w: x * w + w.shape[0], arguments={"w": TABLE}))


@case
def argument_function():
    return one(L.Lambda(lambda x, f: f(x), arguments={"f": helper}))


SCALER = Scale(2.5)


@case
def object_of_the_users():
    return one(L.Lambda(lambda x: SCALER(x)))


@case
def tensor_and_type():
    return one(L.Lambda(lambda x: tf.cast(x, KIND) * CONSTANT))


@case
def decorated_by_a_library():
    return one(L.Lambda(lambda x: compiled(x) + clipped(x)))


@case
def regularizers_and_constraints():
    return one(
        L.Dense(
            3, kernel_regularizer=lambda w: 0.1 * tf.reduce_sum(w), kernel_constraint=Positive()
        )
    )


@case
def metric_class():
    class Mine(K.metrics.MeanAbsoluteError):
        pass

    model = one(L.Dense(4))
    model.compile("sgd", "mean_squared_error", metrics=[Mine()])
    return model


@case
def two_alike_in_two_layers():
    inputs = K.Input((4,))
    x = L.Lambda(named_alike(2.0))(inputs)
    return K.Model(inputs, L.Lambda(named_alike(3.0))(x))


def named_alike(n):
    def same_name(x):
        return x * n

    return same_name


@case
def subclassed():
    model = Whole()
    model(X)
    return model


@case
def made_by_eval():
    return one(L.Lambda(eval("lambda x: x * SCALE + 1")))


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
