"""Which names are those of a secret: their values stay out of a sidecar."""

from __future__ import annotations

import re

# A name is a secret's if one of its words is one of these: API_KEY, dbPassword; no KEYPOINTS.
_SECRET = re.compile(
    "(api)?key|token|passwords?|passwd|passphrase|pwd|secrets?|credentials?", re.IGNORECASE
)
# KEYS and TOKENS are ordinary words, unless another word says of what.
_SECRETS = re.compile("((api|access|auth|private|secret|session)_?)(keys|tokens)", re.IGNORECASE)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def looks_secret(name: str) -> bool:
    """Tell whether *name*, by one of its words, is that of a password, a key or a token.

    Parameters
    ----------
    name
        The name of a variable, in any style: ``API_KEY``, ``dbPassword``.

    Returns
    -------
    bool
        True for a secret's name; the value of a number is stored all the same.
    """
    words = _WORD.findall(name)
    several = ("_".join(pair) for pair in zip(words, words[1:]))
    return any(map(_SECRET.fullmatch, words)) or any(map(_SECRETS.fullmatch, several))
