"""Which Pythons write code in the same layout, and the magic number of each."""

from __future__ import annotations

from typing import Literal, get_args

Layout = Literal["2.7", "3.0-3.7", "3.8-3.10", "3.11+"]

LAYOUTS: tuple[Layout, ...] = get_args(Layout)
# The Pythons of each layout of marshalled code. What one of them writes parses in the others,
# and then runs wrong instructions.
FAMILIES: dict[Layout, tuple[str, ...]] = {
    "2.7": ("2.7",),
    "3.0-3.7": ("3.4", "3.5", "3.6", "3.7"),
    "3.8-3.10": ("3.8", "3.9", "3.10"),
    "3.11+": ("3.11", "3.12", "3.13", "3.14"),
}
# importlib.util.MAGIC_NUMBER of each released minor version, its first two bytes as a number.
MAGIC_NUMBERS = {
    "2.7": 62211,
    "3.4": 3310,
    "3.5": 3351,
    "3.6": 3379,
    "3.7": 3394,
    "3.8": 3413,
    "3.9": 3425,
    "3.10": 3439,
    "3.11": 3495,
    "3.12": 3531,
    "3.13": 3571,
    "3.14": 3627,
}
VERSIONS = tuple(MAGIC_NUMBERS)


def same_family(first: str, second: str) -> bool:
    """Tell whether code that one Python marshalled parses in another one.

    Parameters
    ----------
    first, second
        Minor versions, such as ``3.11``. Those that are not in FAMILIES have no relatives.

    Returns
    -------
    bool
        True means that it also runs there, though its instructions may mean something else.
    """
    return any(first in family and second in family for family in FAMILIES.values())
