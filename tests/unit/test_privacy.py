"""What may enter a sidecar and what may not: a row for each name and value."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import capsule
from tests import toy_keras

Sidecar = Callable[..., str]


@pytest.fixture
def sidecar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sidecar:
    """Give a function that saves a model whose Lambda is given, and returns the sidecar's text."""
    toy_keras.install(monkeypatch)

    def save(function: Any, **options: Any) -> str:
        path = tmp_path / "m.keras"
        with capsule.hooked(probe=False, strict=True, report=lambda saved: None, **options):
            toy_keras.Model(toy_keras.Lambda(function)).save(path)
        return path.with_name("m.keras.capsule.json").read_text()

    return save


def using(name: str, value: Any) -> Any:
    """Return a function that uses *value* under a global *name*."""
    return eval(f"lambda x: (x, {name})", {"__name__": "__main__", name: value})


WORD = "hunter2"
HEX = WORD.encode().hex()  # as bytes they stand in base64

# (a name that is a secret's, a value that holds WORD in some way)
SECRETS: list[tuple[str, Any]] = [
    *(
        (name, WORD)
        for name in (
            "API_KEY",
            "api_key",
            "AWS_SECRET_ACCESS_KEY",
            "db_password",
            "PASSWORD",
            "AUTH_TOKEN",
            "token",
            "SECRET",
            "client_secret",
            "KEY",
        )
    ),
    ("TOKEN", ["a", WORD]),
    ("TOKEN", ("a", (WORD,))),
    ("TOKEN", {WORD}),
    ("TOKEN", {"a": WORD}),
    ("TOKEN", {1: [WORD]}),
    ("TOKEN", WORD.encode()),
    ("TOKEN", np.array([WORD, "b"])),
    ("settings", {"password": WORD}),
    ("settings", {"a": [{"api_key": WORD}]}),
    ("settings", [("b", {"TOKEN": WORD})]),
    ("settings", {"secret": WORD.encode()}),
]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *SECRETS,
        ("PASSWD", WORD),
        ("db_passwd", WORD),
    ],
)
def test_a_secret_stays_out_unless_its_name_is_allowed(
    sidecar: Sidecar, name: str, value: Any
) -> None:
    enters = sidecar(using(name, value), allow=(name,))
    stays_out = sidecar(using(name, value))
    assert '"opaque"' in stays_out
    assert '"opaque"' not in enters
    for text in (WORD, "aHVudGVyMg"):
        assert text not in stays_out
    assert any(text in enters for text in (WORD, "aHVudGVyMg", "aAAAAHUAAAB"))


# (a name and a value that anybody may see)
PLAIN: list[tuple[str, Any]] = [
    ("RATE", 0.5),
    ("NAMES", ["nose", "eye"]),
    ("keyboard", 3),
    ("KEY_COUNT", 7),
    ("TOKEN_COUNT", 7),
    ("PASSWORD_LENGTHS", [1, 2]),
    ("API_KEY", None),
    ("secret", True),
    ("TOKENS", np.array([1, 2])),
    ("settings", {"rate": 1}),
]
# What ordinary code calls ordinary things.
WORDS: list[tuple[str, Any]] = [
    ("KEYPOINTS", ["nose"]),
    ("KEYPOINT_NAMES", ["nose", "eye"]),
    ("TOKENS", ["[CLS]", "[SEP]"]),
    ("monkey", "macaque"),
    ("TOKENIZER", "wordpiece"),
    ("KEYS", ["a", "b"]),
    ("keys", ("a",)),
    ("settings", {"keys": ["a"], "tokenizer": "b"}),
    ("settings", {"token_count": 7}),
    ("MONKEY_NAMES", ["a"]),
]


@pytest.mark.parametrize(("name", "value"), [*PLAIN, *WORDS])
def test_what_is_no_secret_enters(sidecar: Sidecar, name: str, value: Any) -> None:
    assert '"opaque"' not in sidecar(using(name, value))


HOME = str(Path.home())


@pytest.mark.parametrize(
    "value",
    [
        os.path.join(HOME, "data", "train.csv"),
        HOME,
        os.getcwd(),
        os.path.join(os.getcwd(), "not", "there", "yet"),
        "/usr",
        [HOME + "/data"],
        {"path": HOME + "/data"},
        ("a", {"b": [HOME + "/data"]}),
        {HOME + "/x"},
        {"a": (1, HOME)},
    ],
    ids=str,
)
def test_a_path_of_this_machine_stays_out_whatever_it_is_called(
    sidecar: Sidecar, value: Any
) -> None:
    for options in ({}, {"allow": ("PLACE",)}):
        text = sidecar(using("PLACE", value), **options)
        assert "a path of this machine" in text
        assert HOME not in text or HOME == "/"
        assert os.getcwd() not in text


@pytest.mark.parametrize(
    "value", ["data/train.csv", "/", "/a", "/no/such/place/anywhere", "a/b", "https://host/path"]
)
def test_what_is_no_path_of_this_machine_enters(sidecar: Sidecar, value: str) -> None:
    text = sidecar(using("PLACE", value))
    assert '"opaque"' not in text
    assert f'"{value}"' in text


@pytest.mark.parametrize(
    "value",
    [
        "https://me:hunter2@host/simple",
        "postgres://u:hunter2@db",
        "see http://a:hunter2@b/c",
        ["x", "https://me:hunter2@host"],
        {"url": "https://me:hunter2@host"},
        "https://:hunter2@host",
    ],
    ids=str,
)
def test_an_address_with_a_password_stays_out_whatever_it_is_called(
    sidecar: Sidecar, value: Any
) -> None:
    for options in ({}, {"allow": ("ADDRESS",)}):
        text = sidecar(using("ADDRESS", value), **options)
        assert "hunter2" not in text
        assert "an address with a password" in text


@pytest.mark.parametrize(
    "value", ["https://host:8080/a@b", "https://me@host/x", "a:b@c", "https://host/a:b@c"]
)
def test_an_address_without_one_enters(sidecar: Sidecar, value: str) -> None:
    assert f'"{value}"' in sidecar(using("ADDRESS", value))


def test_the_same_holds_wherever_a_function_keeps_a_value(sidecar: Sidecar) -> None:
    def closed(api_key: str) -> Any:
        return eval("lambda x: (x, api_key)", {"api_key": api_key})

    scope: dict[str, Any] = {"__name__": "__main__", "WORD": WORD}
    exec(
        "def outer(api_key):\n    return lambda x: (x, api_key)\n"
        "closure = outer(WORD)\n"
        "default = lambda x, api_key=WORD: (x, api_key)\n"
        "keyword = lambda x, *, api_key=WORD: (x, api_key)\n"
        "class Holder:\n    pass\n"
        "holder = Holder()\nholder.api_key = WORD\n"
        "attribute = lambda x: (x, holder.api_key)\n"
        "def helper(x):\n    return x\n"
        "helper.api_key = WORD\n"
        "function = lambda x: helper(x)\n"
        "import functools\n"
        "partial = functools.partial(helper, api_key=WORD)\n"
        "part = lambda x: partial(x)\n",
        scope,
    )
    for name in ("closure", "default", "keyword", "attribute", "function", "part"):
        assert WORD not in sidecar(scope[name]), name
    assert WORD not in sidecar(closed(WORD))


def test_values_and_source_stay_out_where_they_are_not_wanted(sidecar: Sidecar) -> None:
    marker = "a value that nobody else has"
    function = using("GREETING", marker)
    assert marker in sidecar(function)
    assert marker not in sidecar(function, values=False)

    def helper(x: Any) -> Any:
        return (x, "said in the source")

    assert "said in the source" in sidecar(lambda x: helper(x))
    assert "said in the source" not in sidecar(lambda x: helper(x), source=False)


def test_no_file_name_of_this_machine_enters(sidecar: Sidecar, tmp_path: Path) -> None:
    path = tmp_path / "elsewhere" / "helper.py"
    path.parent.mkdir()
    path.write_text("def helper(x):\n    return x * 2\n")
    scope: dict[str, Any] = {"__name__": "helper", "__file__": str(path)}
    exec(compile(path.read_text(), str(path), "exec"), scope)
    text = sidecar(scope["helper"])
    assert '"file": "helper.py"' in text
    assert str(tmp_path) not in text
    assert str(Path(__file__).parent) not in sidecar(lambda x: x)
