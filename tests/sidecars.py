"""A sidecar that has something of everything, and what may stand at each place of it."""

from __future__ import annotations

import re
from typing import Any, get_args

from capsule.guest.values import DEPTH_LIMIT, encode
from capsule.manifest import ENVIRONMENT_VARIABLES, BindingKind, NodeKind
from tests.making import manifest_json
from tests.plans import edge, module, node, value

HOWS = get_args(BindingKind)
KINDS = get_args(NodeKind)
INPUT = {"shape": [2], "dtype": "float32", "seed": 1, "low": -1, "high": 1.5}
OUTPUT = {"shape": [2], "dtype": "float32", "base64": "AAAA"}
SAMPLE = {"shape": [2], "dtype": "float32", "sample": "AAAA", "sha256": "a" * 64}

FACTS = {"file": "train.py", "line": 4, "reason": None, "futures": []}


def whole(origin: str = "recorded") -> dict[str, Any]:
    """Return the JSON of a sidecar that has something of everything."""
    data = manifest_json()
    data["origin"] = origin
    data["nodes"] = {
        "f": node(names=[value(1), edge("numpy", attribute="linalg.norm")], **FACTS),
        "code": node(None, code={"sha256": "a" * 64, "magic": 3495, "base64": "AAAA"}),
        "inner": module(),
        "numpy": module(None, origin="distribution", distribution="numpy"),
    }
    data["functions"][0]["node"] = "f"
    data["distributions"][0]["direct_url"] = {"url": "https://host/x"}
    data["evidence"] = [{"subject": "python", "value": "3.11", "how": "read", "why": "it says so"}]
    data["probe"] = {"inputs": [dict(INPUT)], "examples": [dict(OUTPUT)], "skipped": None}
    data["probe"]["outputs"] = [dict(OUTPUT), dict(SAMPLE)]
    return data


class Absent:
    """Stands for a key that is not there."""


ABSENT = Absent()


def changed(path: str, content: Any, origin: str = "recorded") -> dict[str, Any]:
    """Return that JSON with another content at *path*, which is written as errors write it."""
    data = whole(origin)
    inner: Any = data
    *keys, last = [int(key) if key.isdigit() else key for key in re.split(r"[.\[\]]+", path) if key]
    for key in keys:
        inner = inner[key]
    if content is ABSENT:
        del inner[last]
    else:
        inner[last] = content
    return data


def lists(depth: int) -> Any:
    content: Any = 1
    for _ in range(depth):
        content = [content]
    return content


def words(text: str) -> list[str]:
    return text.split()


NO_TEXT = [3, None, [], {}, True]
NO_TEXT_OR_NONE = [3, [], {}, True]
NO_TEXTS = ["x", [1], None, [["x"]], {}]
NO_COUNT = [-1, 1.0, "1", True, None]
NO_FLAG = [0, 1, "true", None, []]
NO_NUMBER = ["1", None, True, [], 10**400]
NO_OBJECT = [None, [], "x"]
NO_OBJECTS = [None, {}, ["x"], [[]]]
NO_HEX = ["a" * 63, "a" * 65, "A" * 64, "g" * 64, "a" * 64 + "\n", "", 3]
NO_NAME = [*words("-x x- .x a/b --pre a=b xé"), "a b", "a\n", ""]
NOT_NORMAL = [*NO_NAME, "Keras", "tf_keras", "a.b", "a--b"]
NO_VERSION = [
    *words("latest 1_0x 1.0;x"),
    "1.0\n",
    " 1.0",
    "1.0 ",
    "1.0 --hash=x",
    "",
    1,
    "1" * 200,
]
NO_MODULE = [*words("a-b a..b a. .a 1a a;b ../a a/b a.1b"), "a b", ""]
NO_IDENTIFIER = [*words("a-b a.b a. 1a a;b"), "a b", "", "x; import os", 3]
CONTROL = ["a\n", "a\x1b[2J", "a\x7f", "a\x9b", "\0"]
NO_DTYPE = words("O object S3 V8 f4 float int xfloat32 floatx <f4 float32,O M8[s] bcomplex64")
NO_SHAPE = [None, "x", ["x"], [-1], [1.5], [[1]]]
DUNDERS = words("__class__ __globals__ __code__ __builtins__ __dict__ __call__ __wrapped__x__ ____")
STANDARD = words("os os.path sys json.decoder subprocess builtins site sitecustomize usercustomize")
FRAMEWORKS = words("keras keras.layers tensorflow tf_keras.x numpy jax torch h5py")

SCHEMES = words("""ftp://host/x javascript:1 data:text/plain,x svn+ssh://host/x git+file:///x /etc/passwd
hg+https://host/x //host/x file:///etc file://host/x file:x C:/x""")
CHARACTERS = words("""https://host/${TOKEN} https://host/$TOKEN https://host/{x} https://host/\\x
https://host/`x` https://host/"x" https://host/<x> https://host/x|y https://host/ü https://[host/x
https://host/^""")
SECRETS = words("""https://user:password@host/x https://user@host/x https://:password@host/x
http://token@host/x git+https://token@host/x ssh://git:password@host/x git://user@host/x
git+ssh://git:password@host/x""")
NO_URL = [*SCHEMES, *CHARACTERS, *SECRETS, "", "https://host/x y", "https://host/x\n", 3, None]
URLS = words("""https://host/x http://host:8080/x?a=b&c=%20d#sha256=1 file: git://host/x ssh://git@host/x
git+ssh://git@host/x git+https://host/x@v1.0 https://host/~x/(y)/!'*,;""")

# What is refused at a path, and what is not.
ROWS: list[tuple[str, list[Any], list[Any]]] = [
    (
        "capsule",
        ["1", "1.0.0", "v1.0", "1.", ".0", "1.12345", " 1.0", "1.0\n", 1.0],
        ["1.1", "1.9999"],
    ),
    ("origin", ["live", "", None, "Saved"], ["recorded", "described", "inferred"]),
    ("created", NO_TEXT, [""]),
    ("created_by", NO_TEXT, ["capsule"]),
    ("problems", NO_TEXTS, [[], ["x"]]),
    ("artifact", NO_OBJECT, []),
    (
        "artifact.name",
        ["", "a/b", "/a", "..\\a", *CONTROL, 3],
        ["model.h5", "a b.keras", "ü", "~a"],
    ),
    ("artifact.format", [*NO_TEXT, "onnx"], ["keras-h5", "saved-model"]),
    ("artifact.size", [*NO_COUNT, 0], [1, 10**12]),
    ("artifact.sha256", NO_HEX, ["0" * 64, "abcdef0123456789" * 4]),
    ("python", NO_OBJECT, []),
    ("python.implementation", NO_NAME, ["cpython", "pypy", "a-b_c.d", "x"]),
    ("python.version", [*NO_VERSION, None], ["3.11.7", "3.13.0rc1", "1" * 199]),
    (
        "python.versions",
        [["3"], ["3.111"], ["4.1"], ["3.1.1"], ["3.1\n"], "3.11", [3]],
        [["2.7", "3.6"]],
    ),
    ("python.magic", NO_COUNT, [0, 3495]),
    ("python.abi", [*CONTROL, *NO_TEXT], ["cp311", ""]),
    ("platform", NO_OBJECT, []),
    ("platform.system", NO_TEXT, [""]),
    ("platform.machine", NO_TEXT, [""]),
    ("platform.libc", NO_TEXTS, [[], ["glibc", "2.36"]]),
    ("keras", [[], "x"], [None]),
    (
        "keras.module",
        ["os", "", "keras.src", "Keras", None],
        ["keras", "tf_keras", "tensorflow.keras"],
    ),
    ("keras.version", [*NO_VERSION, None], ["3.15.1", "2.0.0.dev20"]),
    ("keras.distribution", NOT_NORMAL, [None, "tf-keras"]),
    ("keras.backend", [*NO_NAME, None], ["tensorflow", "theano"]),
    ("keras.backend_version", NO_VERSION, [None, "2.21.0", "2.21.0+cpu"]),
    ("keras.backend_distribution", NOT_NORMAL, [None, "tensorflow-cpu"]),
    ("settings", [[], "x"], [None]),
    ("settings.floatx", NO_NAME, ["float16"]),
    ("settings.epsilon", NO_NUMBER, [1, 1e-7]),
    ("settings.image_data_format", ["channels", None], ["channels_last", "channels_first"]),
    ("settings.dtype_policy", NO_NAME, ["mixed_float16"]),
    ("environment_variables", NO_OBJECT, [{}, dict.fromkeys(ENVIRONMENT_VARIABLES, "1")]),
    ("distributions", NO_OBJECTS, [[]]),
    ("distributions[0].name", NOT_NORMAL, ["keras", "a-b", "a1"]),
    ("distributions[0].version", [*NO_VERSION, None], ["1.0", "1!2.0.post1", "1" * 199]),
    (
        "distributions[0].requires",
        [*NO_TEXTS, ["x" * 2001], ["(" * 101]],
        [["x" * 2000], ["(" * 100]],
    ),
    ("distributions[0].direct_url", [[], {}, "x"], [None, {"url": "file:", "dir_info": {}}]),
    ("distributions[0].direct_url.url", NO_URL, URLS),
    ("distributions[0].installer", [*NO_TEXT_OR_NONE, ABSENT], [None, "uv"]),
    ("functions", NO_OBJECTS, [[]]),
    ("functions[0].where", NO_TEXTS, [[], ["a", "b"]]),
    ("functions[0].role", NO_TEXT, ["mask"]),
    ("functions[0].name", NO_TEXT, [""]),
    ("functions[0].encoding", [*NO_TEXT, "pickle"], ["keras3", "by-name"]),
    ("functions[0].key", [*NO_TEXT_OR_NONE, ABSENT], [None, "x"]),
    ("functions[0].code_sha256", [*NO_HEX, ABSENT], [None, "0" * 64]),
    ("functions[0].module", [*NO_TEXT_OR_NONE, ABSENT], [None, "x"]),
    ("functions[0].defaults", NO_FLAG, [True, False]),
    ("functions[0].closure", NO_FLAG, [True, False]),
    ("functions[0].damaged", NO_FLAG, [True, False]),
    ("functions[0].node", ["g", "", 3], [None, "f", "inner"]),
    ("nodes", NO_OBJECT, []),
    ("nodes.f", NO_OBJECT, []),
    (
        "nodes.f.kind",
        ["module level", "", None, "import"],
        [kind for kind in KINDS if kind != "module"],
    ),
    ("nodes.f.source", NO_TEXT_OR_NONE, [None, "anything\n", ABSENT]),
    ("nodes.f.module", [*CONTROL, *NO_TEXT], ["", "a.b", "__main__", ABSENT]),
    ("nodes.f.qualname", NO_TEXT, ["", "a.<locals>.b", ABSENT]),
    ("nodes.f.namespace", NO_TEXT, ["", "a.b", ABSENT]),
    ("nodes.f.origin", [*NO_TEXT, "index"], ["", "main", "reference", ABSENT]),
    ("nodes.f.file", NO_TEXT_OR_NONE, ["train.py", None, ABSENT]),
    ("nodes.f.reason", NO_TEXT_OR_NONE, ["why", None, ABSENT]),
    ("nodes.f.line", NO_COUNT, [1, 0, ABSENT]),
    ("nodes.f.futures", NO_TEXTS, [[], ["annotations"], ABSENT]),
    ("nodes.f.package", NO_FLAG, [True, False]),
    ("nodes.f.decorated", NO_FLAG, [True, False]),
    ("nodes.f.decompiled", NO_FLAG, [True, False]),
    ("nodes.f.distribution", NOT_NORMAL, [None, "numpy"]),
    ("nodes.f.names", NO_OBJECTS, [[]]),
    ("nodes.code.code", NO_OBJECT, [ABSENT]),
    ("nodes.code.code.sha256", NO_HEX, ["b" * 64]),
    ("nodes.code.code.magic", NO_COUNT, [3531]),
    ("nodes.code.code.base64", [*NO_TEXT_OR_NONE, ABSENT], [None, "anything"]),
    ("nodes.f.names[0].name", NO_IDENTIFIER, ["N", "_", "ü", "__doc__"]),
    ("nodes.f.names[0].how", ["globals", "", None, 3], list(get_args(BindingKind))),
    (
        "nodes.f.names[0].value",
        [lists(4 * DEPTH_LIMIT), {"a": lists(4 * DEPTH_LIMIT - 1)}],
        [
            lists(4 * DEPTH_LIMIT - 1),
            {"a": lists(4 * DEPTH_LIMIT - 2)},
            encode(lists(DEPTH_LIMIT)),
            None,
        ],
    ),
    ("nodes.f.names[0].missing", NO_FLAG, [True, False]),
    ("nodes.f.names[0].attributes", NO_TEXTS, [[], ["a.b"]]),
    ("nodes.f.names[1].to", ["nowhere", "", 3], ["numpy", "inner", "f", None]),
    (
        "nodes.f.names[1].attribute",
        [*NO_MODULE, *DUNDERS, "a.__class__", "__class__.a", 3],
        ["a", "a.b.c", "_private", "__x", "x__", "ü", None, ABSENT],
    ),
    ("model", [[], "x"], [None]),
    ("model.class_name", NO_TEXT, ["Sequential"]),
    ("model.inputs", NO_OBJECTS, [[]]),
    ("model.inputs[0].name", NO_TEXT, ["x"]),
    ("model.inputs[0].dtype", NO_TEXT, ["float32"]),
    ("model.inputs[0].shape", NO_SHAPE, [[], [None], [0, 1]]),
    ("model.outputs", NO_OBJECTS, [[]]),
    ("model.outputs[0].name", NO_TEXT, ["y"]),
    ("model.outputs[0].dtype", NO_TEXT, ["float32"]),
    ("model.outputs[0].shape", NO_SHAPE, [[None, 5]]),
    ("model.unbuilt", NO_TEXTS, [["x"]]),
    ("model.stateful", NO_TEXTS, [["x"]]),
    ("model.custom", NO_TEXTS, [["x"]]),
    ("model.losses", NO_TEXTS, [["x"]]),
    ("model.metrics", NO_TEXTS, [["x"]]),
    ("model.arguments", NO_TEXTS, [["x"]]),
    ("model.adapted", NO_TEXTS, [["x"]]),
    ("model.operations", NO_TEXTS, [["x"]]),
    ("model.warnings", NO_TEXTS, [["x"]]),
    ("model.subclassed", NO_FLAG, [True, False]),
    ("probe", NO_OBJECT, []),
    ("probe.skipped", [*NO_TEXT_OR_NONE, ABSENT], [None, "no probe"]),
    ("probe.inputs", NO_OBJECTS, [[]]),
    ("probe.inputs[0].shape", [*NO_SHAPE, [None], [1 << 31]], [[], [0], [(1 << 31) - 1]]),
    (
        "probe.inputs[0].dtype",
        [*NO_DTYPE, "float32\n", "", 3],
        ["float32", "bfloat16", "bool", "uint64"],
    ),
    ("probe.inputs[0].seed", NO_COUNT, [0, 20]),
    ("probe.inputs[0].low", NO_NUMBER, [-1, 0.5]),
    ("probe.inputs[0].high", NO_NUMBER, [1, 0.5]),
    ("probe.examples", NO_OBJECTS, [[]]),
    ("probe.examples[0].base64", NO_TEXT, ["AAAA"]),
    ("probe.examples[0].shape", [*NO_SHAPE, [None]], [[2]]),
    ("probe.examples[0].dtype", NO_DTYPE, ["complex64"]),
    ("probe.outputs", NO_OBJECTS, [[]]),
    ("probe.outputs[0].base64", NO_TEXT, ["AAAA"]),
    ("probe.outputs[0].shape", [*NO_SHAPE, [None]], [[2]]),
    ("probe.outputs[0].dtype", NO_DTYPE, ["float64"]),
    ("probe.outputs[1].sample", [*NO_TEXT, ABSENT], ["AAAA"]),
    ("probe.outputs[1].sha256", [*NO_HEX, ABSENT], ["b" * 64]),
    ("evidence", NO_OBJECTS, [[], ABSENT]),
    ("evidence[0].how", ["guessed", "", None], ["read", "inferred", "assumed"]),
    ("evidence[0].subject", NO_TEXT, [""]),
    ("evidence[0].value", NO_TEXT, [""]),
    ("evidence[0].why", NO_TEXT, [""]),
]
