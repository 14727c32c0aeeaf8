"""Functions as people write them in models; every Python that knows the syntax compiles them."""

from __future__ import annotations

# Expressions of a lambda of x and y: every kind, in the forms that occur.
EXPRESSIONS = """
x * 2
x / 127.5 - 1.0
-x ** 2 // 3 % 5
(x + y) * (x - y)
~x << 2 >> 1 & 7 | 8 ^ 3
x @ y
not x
K.abs(x)
tf.nn.l2_normalize(x, axis=-1)
K.sqrt(K.maximum(K.sum(K.square(x - y), axis=1, keepdims=True), K.epsilon()))
x[0]
x[:, 0]
x[..., 1:-1, ::2]
x[:, -1, :]
x[1:]
x[:-1]
x[:]
x[a:b]
x[a:b:c]
x.shape[0]
x.T.reshape((-1, 2))
x[0].mean(axis=(1, 2), keepdims=True)
K.concatenate([x[0], x[1]], axis=-1)
f(*x)
f(x, *y)
f(**x)
f(x, y, k=1, **y)
f(*x, **y)
f(x)(y)(z)
x < y
x <= 1 != y
a < x < b
a < x <= b < c
x is None
x is not None
x in y
x not in (1, 2)
x and y
x or y
x and y or z
x or y and z
(x or y) and z
not (x and y)
x if y else z
x if a and b else y
x if a or b else y
x if not a else y
x if a < b < c else y
(x if a else y) if b else z
x if a else y if b else z
f(x if a else y)
f(x and y, a or b)
[x if a else y, 3]
(x or y) + (a and b)
[x, y]
(x, y)
(x,)
()
[]
{}
{x, y}
{x: y}
{'a': x, 'b': y}
{'a': x, **y}
[*x, y]
(*x, *y)
{*x, y}
[i * 2 for i in x]
[i for i in x if i]
[i for i in x if i if y]
[(i, j) for i in x for j in i]
[[j for j in i] for i in x]
[i + y for i in x]
[i for i, j in x]
[i if i else y for i in x]
{i for i in x}
{i: j for i, j in x}
(i for i in x)
sum(i * y for i in x if i > 0)
list(map(lambda i: i + y, x))
lambda z: x + z
lambda z, w=2: x + y * z
(lambda: x)()
'a' + "it's"
b'bytes' + x
1.5e300 * 2j
None
True
-1
'%s' % x
'{}'.format(x)
f'{x}'
f'{x!r:>10}a{y}'
f'{x:{y}}'
tf.image.resize(x, [64, 64])
K.resize_images(x, 2, 2, 'channels_last')
K.random_normal(shape=(K.shape(x)[0], 2), mean=0.0, stddev=1.0)
x[0] + K.exp(0.5 * x[1]) * eps
tf.reduce_mean(tf.cast(tf.equal(x, y), tf.float32))
(x - np.mean([103.939, 116.779, 123.68])) / np.float32(255)
tf.expand_dims(x, -1) if len(x.shape) == 3 else x
dict(a=x, b=y)
x[{'a': 1}['a']]
x[y[0]:y[1], None]
max(x, key=lambda i: i[1])
__import__('tensorflow').nn.relu(x)
0x7fffffff + 10 ** 3
x[1, 2][3][4, 5]
''.join(x)
x.a.b.c(y).d
print
""".strip().split("\n")

STATEMENTS = [
    "def f(x):\n    return x",
    "def f(x):\n    pass",
    "def f(x):\n    'what it does'\n    return x + 1",
    "def f(x):\n    'what it does'",
    "def f(x):\n    return",
    "def f(args):\n    a, b = args\n    return a + b",
    "def f(args):\n    mu, log = args\n    eps = K.random_normal(shape=(K.shape(mu)[0], K.int_shape(mu)[1]))\n    return mu + K.exp(0.5 * log) * eps",
    "def f(args):\n    (a, b), c = args\n    return a + b + c",
    "def f(args):\n    a, *b = args\n    return a, b",
    "def f(args):\n    a, *b, c = args\n    return a, b, c",
    "def f(x):\n    a = b = x\n    return a + b",
    "def f(x):\n    a, b = x, 1\n    return a + b",
    "def f(x, y):\n    x, y = y, x\n    return x - y",
    "def f(x, y, z):\n    x, y, z = z, x, y\n    return x - y - z",
    "def f(x):\n    x += 1\n    x *= 2\n    x -= 3\n    x /= 4\n    x //= 5\n    x **= 6\n    return x",
    "def f(x):\n    x[0] += 1\n    x.a -= 2\n    return x",
    "def f(x):\n    x[0] = 1\n    x.a = 2\n    x[1:2] = 3\n    del x[0]\n    del x.a\n    return x",
    "def f(x):\n    y = x\n    del y\n    return x",
    "def f(x):\n    if x:\n        return 1\n    return 2",
    "def f(x):\n    if x:\n        return 1\n    else:\n        return 2",
    "def f(x):\n    if x:\n        y = 1\n    else:\n        y = 2\n    return y",
    "def f(x):\n    if x > 1:\n        y = 1\n    elif x > 0:\n        y = 2\n    elif x == 0:\n        y = 5\n    else:\n        y = 3\n    return y",
    "def f(x):\n    y = 0\n    if x:\n        y = 1\n    return y",
    "def f(x):\n    if x:\n        x = x + 1\n        if x > 2:\n            x = 0\n    return x",
    "def f(x, a, b):\n    if a and b:\n        x = 1\n    return x",
    "def f(x, a, b):\n    if a or b:\n        x = 1\n    return x",
    "def f(x, a, b, c):\n    if a and (b or c):\n        x = 1\n    else:\n        x = 2\n    return x",
    "def f(x, a, b, c):\n    if a and b or c:\n        x = 1\n    return x",
    "def f(x, a, b):\n    if not a:\n        x = 1\n    if not (a and b):\n        x = 2\n    return x",
    "def f(x):\n    if a < x < b:\n        return x\n    return None",
    "def f(x):\n    if x is None:\n        return 1\n    if x is not None and x > 1:\n        return 2\n    raise ValueError('no')",
    "def f(x):\n    raise ValueError('no %s' % x)",
    "def f(x):\n    assert x\n    return x",
    "def f(x):\n    assert x > 1, 'too small'\n    return x",
    "def f(x):\n    if not isinstance(x, list):\n        raise TypeError('no')\n    return x",
    "def f(x):\n    for i in x:\n        g(i)",
    "def f(x):\n    s = 0\n    for i in range(10):\n        s += x[i]\n    return s",
    "def f(x):\n    for i, (a, b) in enumerate(x):\n        g(i, a, b)\n    return x",
    "def f(x):\n    s = []\n    for i in x:\n        if i > 0:\n            s.append(i)\n    return s",
    "def f(x):\n    s = []\n    for i in x:\n        if i > 0:\n            continue\n        s.append(i)\n    return s",
    "def f(x):\n    for i in x:\n        if i > 0:\n            break\n    return i",
    "def f(x):\n    for i in x:\n        if i > 0:\n            return i\n    return None",
    "def f(x):\n    for i in x:\n        for j in i:\n            g(i, j)\n    return x",
    "def f(x):\n    for i in x:\n        if i:\n            g(i)\n        else:\n            h(i)\n    return x",
    "def f(x):\n    for i in x:\n        if i:\n            break\n    else:\n        h(x)\n    return x",
    "def f(x):\n    while x > 0:\n        x -= 1\n    return x",
    "def f(x):\n    while x > 0:\n        x -= 1\n        if x == 5:\n            break\n    return x",
    "def f(x):\n    while True:\n        x -= 1\n        if x == 5:\n            break\n    return x",
    "def f(x):\n    while True:\n        x -= 1\n        if x == 5:\n            return x",
    "def f(x, y):\n    while x and y:\n        x, y = g(x, y)\n    return x",
    "def f(x):\n    i = 0\n    while i < 10:\n        i += 1\n        if i % 2:\n            continue\n        x += i\n    return x",
    "def f(x, s_set, n_dim, v=3):\n    a = b = c = 0\n    for i in range(0, n_dim):\n        a = a + (i - n_dim * 0.5) * x[0][:, :, i]\n    a = K.expand_dims(a, -1)\n    a = a / (s_set * (1 + x[1]))\n    for j in range(0, n_dim):\n        b = b + j * x[2]\n    age = (a + b) * v\n    return age",
    "def f(x):\n    def g(y):\n        return x + y\n    return g(1)",
    "def f(x):\n    def g(y, z=2, *a, **k):\n        'inner'\n        return x + y\n    return g",
    "def f(x):\n    n = 0\n    def g():\n        nonlocal n\n        n += 1\n        return n\n    return g() + x",
    "def f(x):\n    global G\n    G = x\n    return G",
    "def f(x):\n    import tensorflow as tf\n    return tf.abs(x)",
    "def f(x):\n    import keras.backend as K\n    return K.abs(x)",
    "def f(x):\n    import tensorflow\n    return tensorflow.abs(x)",
    "def f(x):\n    import os.path\n    return os.path.join(x)",
    "def f(x):\n    from keras import backend as K, layers\n    return K.abs(layers.Add()(x))",
    "def f(x):\n    from tensorflow.keras import backend\n    return backend.abs(x)",
    "def f(x):\n    from . import helper\n    return helper(x)",
    "def f(x, y=1, *args, z, w=3, **kw):\n    return x",
    "def f(*args, **kw):\n    return args",
    "def f(x):\n    return [g(i) for i in x] + [h(i) for i in x]",
    "def f(x):\n    y = [i for i in x if i]\n    return {i: j for i, j in y}",
    "def f(x):\n    y = 2\n    return [i * y for i in x]",
    "def f(x):\n    y = lambda z: z + x\n    return y(1)",
    "def f(x):\n    print('a', x)\n    return x",
    "def f(x):\n    name = f'{x.name}_{i:03d}'\n    return tf.identity(x, name=name)",
    "def f(x, h):\n    shape = K.int_shape(x)\n    if len(shape) == 4:\n        return x[:, :h, :, :]\n    elif len(shape) == 3:\n        return x[:, :h, :]\n    else:\n        return x",
    "def f(x, scale):\n    return x * scale",
    "def f(y, tv):\n    h = y[1].shape[1]\n    w = y[1].shape[2]\n    return y[0][:, :h, :w, :]",
    "def f(x):\n    u = K.min(x)\n    v = K.max(x)\n    return (x - u) / (v - u) - 0.5",
    "def f(shapes):\n    shape1, shape2 = shapes\n    return (shape1[0], 1)",
    "def f(x):\n    for i in range(3):\n        x = x + i if i else x\n    return x",
    "def f(x):\n    for i in x:\n        if i and i > 2 or y:\n            g(i)\n    return x",
    "def f(x):\n    for i in x:\n        while i:\n            i = g(i)\n    return x",
    "def f(x):\n    while x:\n        for i in x:\n            if i:\n                break\n        else:\n            x = 0\n    return x",
    "def f(x):\n    if x:\n        for i in x:\n            g(i)\n    else:\n        h(x)\n    return x",
    "def f(x):\n    y = x and x[0] or None\n    z = y if y else x\n    return z",
    "def f(x):\n    (a, b) = (c, d) = x\n    return a",
    "def f(x):\n    a, b, c = [i * 2 for i in x]\n    return a",
    "def f(x):\n    x.a.b[0].c = 1\n    x[0][1] = x[1][0]",
    "def f(x):\n    return f2(x, name='a', axis=-1)[0]",
    "def f(x):\n    yield x\n    yield x + 1",
    "def f(x):\n    y = yield x\n    return y",
    "def f(x):\n    if (n := len(x)) > 3:\n        return n\n    return x",
    "def f(x):\n    return (y := x + 1) * y",
    "def f(x, /, y, *, z):\n    return x",
    "def f(x):\n    return g(*[1, 2], *x, k=3, **x)",
    "def f(x):\n    if x == 'a' or x == 'b':\n        return 1\n    elif x == 'c' and y:\n        return 2\n    return 3",
    "def f(x):\n    if x:\n        if y:\n            return 1\n        return 2\n    if z:\n        return 3\n    return 4",
    "def f(x):\n    if x:\n        a = 1\n        b = 2\n    elif y:\n        a = 3\n        b = 4\n    else:\n        raise ValueError\n    return a + b",
    "def f(x):\n    b, h, w = (x.shape[0], x.shape[1], x.shape[2])\n    x = tf.reshape(x, [b, h // 2, 2, w // 2, 2])\n    return tf.reduce_mean(x, axis=[2, 4])",
]

# (source, free names): what a closure brings.
CLOSED = [
    ("lambda x: x * scale", ["scale"]),
    ("lambda x: [i * scale + y for i in x]", ["scale", "y"]),
    ("def f(x):\n    return x * scale + shift", ["scale", "shift"]),
    ("def f(x):\n    def g(y):\n        return y * scale\n    return g(x)", ["scale"]),
]

SOURCES: list[tuple[str, list[str]]] = [
    *((f"lambda x, y: {one}", []) for one in EXPRESSIONS),
    *((one, []) for one in STATEMENTS),
    *CLOSED,
]

# What once was decompiled to something else, or not at all.
SOURCES += [
    (
        "def f(x):\n    if c:\n        while True:\n            x = g(x)\n            if x:\n"
        "                continue\n            if not c:\n                break\n    return x",
        [],
    ),
    ("def f(x):\n    while a < x < b or c:\n        x = g(x)\n    return x", []),
    ("def f(x):\n    assert a < b < c, [i for i in x]\n    return lambda y: y", []),
    ("def f(x):\n    for y in x:\n        return y", []),
    ("def f(x):\n    x.loss = lambda z: z", []),
    ("def f(x):\n    if x:\n        y = g(x)\n    return lambda: y", []),
    ("def f(x):\n    global G\n    G = x\n    return [G for j in x]", []),
    ("lambda x: (x or a) - (x if x else b)", []),
    ("lambda x: g(x if a else b, c if a else b)", []),
    ("lambda x: f'{x:>{y}}'", []),
    ("lambda: -None", []),
]
