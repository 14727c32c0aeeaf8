"""What stays out of a sidecar because of its name, and how a person lets it in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from capsule.capture.plain import PlainValues, looks_secret
from capsule.guest import values

SECRETS = (
    "API_KEY db_password AUTH_TOKEN SECRET PASSWD apiKey dbPassword HFToken token2 key"
    " aws_secret_access_key CREDENTIALS API_KEYS accessTokens"
)
ORDINARY = (
    "KEYPOINTS KEYPOINT_NAMES TOKENS monkey TOKENIZER KEYS keyboard x keypointNames"
    " TokenizerConfig hotkeys"
)


@pytest.mark.parametrize("name", SECRETS.split())
def test_a_name_with_such_a_word_is_a_secrets(name: str) -> None:
    assert looks_secret(name)


@pytest.mark.parametrize("name", ORDINARY.split())
def test_a_name_in_which_such_a_word_is_but_a_part_is_none(name: str) -> None:
    assert not looks_secret(name)


def encode(name: str, value: Any, *allow: str) -> Any:
    return PlainValues(Path("/nowhere"), stored=True, allow=allow).encode(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("API_KEY", "hunter2"), ("API_KEY", [b"hunter2"]), ("LOGIN", {"password": "hunter2"})],
)
def test_the_reason_names_the_way_out_and_the_way_out_works(name: str, value: Any) -> None:
    (opaque,) = values.find_opaque(encode(name, value))
    assert f"allow=['{name}']" in opaque["reason"]
    assert f"capsule save --allow {name}" in opaque["reason"]
    assert values.decode(encode(name, value, name)) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOKEN_COUNT", 7),
        ("KEYPOINT_NAMES", ["nose", "eye"]),
        ("VOCABULARY", {"key": 1, "token": 2, "monkey": 3}),
        ("TOKEN_WEIGHTS", (0.5, 2.0)),
    ],
)
def test_what_holds_no_text_of_a_secret_is_stored(name: str, value: Any) -> None:
    assert values.decode(encode(name, value)) == value


def test_an_address_with_a_password_stays_out_whatever_is_allowed() -> None:
    (opaque,) = values.find_opaque(encode("PLACE", "https://me:pw@host/x", "PLACE"))
    assert opaque["reason"] == "an address with a password"
