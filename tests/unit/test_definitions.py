"""A Python file gives what a model file lacks: the parts that are needed, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from capsule.description.definitions import (
    Definitions,
    Home,
    add_definitions,
    class_from,
    read_definitions,
)
from capsule.errors import InputError
from capsule.manifest import Node

SCRIPT = """
from __future__ import annotations
import numpy as np
import tensorflow as tf

scale, other = 3.0, 4.0
data = np.load("training.npz")
model = tf.keras.Sequential()

try:
    register = tf.keras.utils.register_keras_serializable(package="lab")
except AttributeError:
    register = lambda cls: cls

def helper(x):
    return deeper(x) * scale

def deeper(x):
    return x + 1

@register
class Layer(tf.keras.layers.Layer):
    def call(self, x):
        return helper(x)

model.fit(data)
if __name__ == "__main__":
    helper = None
"""


def definitions(tmp_path: Path, text: str = SCRIPT, name: str = "script.py") -> Definitions:
    (tmp_path / name).write_text(text)
    return read_definitions(tmp_path / name)


def test_only_what_is_needed_of_a_script_is_taken(tmp_path: Path) -> None:
    part = definitions(tmp_path).part({"helper"})
    assert [line for line in part.splitlines() if line.strip()] == [
        "from __future__ import annotations",
        "scale, other = 3.0, 4.0",
        "def helper(x):",
        "    return deeper(x) * scale",
        "def deeper(x):",
        "    return x + 1",
    ]


def test_a_class_comes_with_its_decorator_and_that_with_what_it_needs(tmp_path: Path) -> None:
    part = definitions(tmp_path).part({"Layer"})
    for needed in (
        "@register",
        "register = lambda cls: cls",
        "import tensorflow as tf",
        "def deeper",
    ):
        assert needed in part
    for other in ("model", "np.load", "__main__"):
        assert other not in part


def test_the_module_itself_is_given_whole(tmp_path: Path) -> None:
    text = "def scale(x):\n    return x * 2\n"
    nodes: dict[str, Node] = {}
    found = add_definitions([definitions(tmp_path, text, "mylib.py")], ["mylib", "unknown"], nodes)
    assert found == {"mylib": ("mylib", None)}
    assert nodes["mylib"].source == text


def test_a_file_that_imports_another_brings_it(tmp_path: Path) -> None:
    files = [
        definitions(tmp_path, "import mylib\ndef helper(x):\n    return mylib.scale(x)\n"),
        definitions(tmp_path, "def scale(x):\n    return x\n", "mylib.py"),
    ]
    nodes: dict[str, Node] = {}
    assert add_definitions(files, ["helper"], nodes) == {"helper": ("script", "helper")}
    assert [binding.to for binding in nodes["script"].names] == ["mylib"]
    assert nodes["mylib"].source is not None


def test_a_class_is_asked_for_under_the_name_in_the_file(tmp_path: Path) -> None:
    nodes: dict[str, Node] = {}
    made = class_from("lab>Layer", Home("script", "Layer"), nodes)
    assert (made.name, made.role) == ("lab>Layer", "class")
    assert nodes[str(made.node)].names[0].attribute == "Layer"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("old.py", "print 'Python 2'", "is not Python 3"),
        ("json.py", "x = 1", "rename the file"),
        ("my-lib.py", "x = 1", "rename the file"),
        ("null.py", "\0", "is not Python 3"),
    ],
)
def test_a_file_that_gives_nothing_is_one_sentence(
    tmp_path: Path, name: str, text: str, told: str
) -> None:
    with pytest.raises(InputError, match=told):
        definitions(tmp_path, text, name)
    with pytest.raises(InputError, match="can't be read"):
        read_definitions(tmp_path / "gone.py")
