"""Which Keras came with which framework, when, and on which Pythons it ran.

Dates are those of the first wheels; an environment resolved as of some weeks later has
the dependencies that were current then.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Release:
    """A Keras as it wrote files: what provides it, and an environment that reads them.

    ``module`` is what to import; ``requirements`` are the pins to begin with, resolved as of
    ``date``; ``pythons`` the lowest and highest minor version it runs on; ``reads`` names
    the version in place of the one that wrote, where that is another.
    """

    module: str
    version: str
    tensorflow: str
    date: datetime.date
    pythons: tuple[str, str]
    requirements: tuple[str, ...]
    reads: str | None = None


# TensorFlow by minor version: patch to take, day of that, lowest and highest Python.
_TENSORFLOW: dict[str, tuple[str, str, str, str]] = {
    "1.15": ("1.15.0", "2019-10-14", "3.5", "3.7"),
    "2.1": ("2.1.0", "2020-01-08", "3.5", "3.7"),
    "2.2": ("2.2.0", "2020-05-06", "3.5", "3.8"),
    "2.3": ("2.3.0", "2020-07-27", "3.5", "3.8"),
    "2.4": ("2.4.1", "2021-01-21", "3.6", "3.8"),
    "2.5": ("2.5.0", "2021-05-13", "3.6", "3.9"),
    "2.6": ("2.6.0", "2021-08-11", "3.6", "3.9"),
    "2.7": ("2.7.0", "2021-11-04", "3.7", "3.9"),
    "2.8": ("2.8.0", "2022-02-02", "3.7", "3.10"),
    "2.9": ("2.9.1", "2022-05-24", "3.7", "3.10"),
    "2.10": ("2.10.0", "2022-09-06", "3.7", "3.10"),
    "2.11": ("2.11.0", "2022-11-18", "3.7", "3.10"),
    "2.12": ("2.12.0", "2023-03-23", "3.8", "3.11"),
    "2.13": ("2.13.0", "2023-07-05", "3.8", "3.11"),
    "2.14": ("2.14.0", "2023-09-26", "3.9", "3.11"),
    "2.15": ("2.15.0", "2023-11-14", "3.9", "3.11"),
    "2.16": ("2.16.1", "2024-03-08", "3.9", "3.12"),
    "2.17": ("2.17.0", "2024-07-11", "3.9", "3.12"),
    "2.18": ("2.18.0", "2024-10-24", "3.9", "3.12"),
    "2.19": ("2.19.0", "2025-03-12", "3.9", "3.12"),
    "2.20": ("2.20.0", "2025-08-13", "3.9", "3.13"),
    "2.21": ("2.21.0", "2026-03-06", "3.10", "3.13"),
}

# Keras 3 by minor version: the TensorFlow of its day, and the lowest Python.
_KERAS3: dict[str, tuple[str, str]] = {
    "3.0": ("2.16", "3.9"),
    "3.1": ("2.16", "3.9"),
    "3.2": ("2.16", "3.9"),
    "3.3": ("2.16", "3.9"),
    "3.4": ("2.17", "3.9"),
    "3.5": ("2.17", "3.9"),
    "3.6": ("2.18", "3.9"),
    "3.7": ("2.18", "3.9"),
    "3.8": ("2.18", "3.9"),
    "3.9": ("2.19", "3.9"),
    "3.10": ("2.19", "3.9"),
    "3.11": ("2.20", "3.10"),
    "3.12": ("2.20", "3.10"),
    "3.13": ("2.20", "3.11"),
    "3.14": ("2.21", "3.11"),
    "3.15": ("2.21", "3.11"),
}
# When those came that came after their TensorFlow.
_KERAS3_DATES = {
    "3.1": "2024-03-27",
    "3.2": "2024-04-11",
    "3.3": "2024-04-30",
    "3.5": "2024-08-13",
    "3.7": "2024-11-27",
    "3.8": "2025-01-08",
    "3.10": "2025-05-20",
    "3.12": "2025-10-28",
    "3.13": "2025-12-18",
    "3.15": "2026-08-01",
}

# Keras of its own, before it was TensorFlow's: when, and the Pythons it was used on.
_STANDALONE = {
    "1.0": ("2016-04-11", "2.7", "3.6"),
    "1.1": ("2016-09-19", "2.7", "3.6"),
    "1.2": ("2016-12-20", "2.7", "3.6"),
    "2.0": ("2017-03-14", "2.7", "3.6"),
    "2.1": ("2017-11-14", "2.7", "3.7"),
    "2.2": ("2018-06-06", "2.7", "3.7"),
    "2.3": ("2019-09-17", "2.7", "3.7"),
}
_WEEKS = datetime.timedelta(days=35)
_H5PY = "h5py<3"  # later ones give text where these Keras expect bytes


def written_on(version: str | None, backend: str | None) -> tuple[tuple[str, str], str] | None:
    """Return the lowest and highest Python that a Keras ran on, and how that is known.

    *version* as Keras writes it into files (``2.2.4-tf`` is TensorFlow's own). None where
    nothing is known.
    """
    numbers = _numbers(version)
    if version is None or numbers is None:
        return None
    minor = f"{numbers[0]}.{numbers[1]}"
    if numbers[0] >= 3:
        if minor not in _KERAS3:
            return (("3.11", "3.14"), f"Keras {version}")
        lowest = _KERAS3[minor][1]
        newest = "3.13" if (backend or "tensorflow") == "tensorflow" else "3.14"
        return ((lowest, newest), f"Keras {version} over {backend or 'TensorFlow'}")
    if numbers[0] == 1 or (numbers < (2, 3, 2) and not version.endswith("-tf")):
        _, lowest, highest = _STANDALONE.get(minor, ("", "2.7", "3.7"))
        return ((lowest, highest), f"Keras {version}, a distribution of its own")
    rows = [_TENSORFLOW[key] for key in _tensorflows(version, numbers) if key in _TENSORFLOW]
    if not rows:
        return None
    lows, highs = [row[2] for row in rows], [row[3] for row in rows]
    lowest = min(lows, key=_key) if numbers > (2, 2, 99) else "2.7"
    return ((lowest, max(highs, key=_key)), f"Keras {version} came with TensorFlow {rows[0][0]}")


def release_of(version: str | None) -> Release | None:
    """Return an environment that reads the files of a Keras; None for an unknown version."""
    numbers = _numbers(version)
    if version is None or numbers is None:
        return None
    minor = f"{numbers[0]}.{numbers[1]}"
    if numbers[0] >= 3:
        plain = ".".join(map(str, numbers))
        key, lowest = _KERAS3.get(minor, ("2.21", "3.11"))
        tensorflow, day, low, high = _TENSORFLOW[key]
        date = max(_day(day), _day(_KERAS3_DATES.get(minor, day))) + _WEEKS
        lowest = max(low, lowest, key=_key)
        return Release(
            "keras", plain, tensorflow, date, (lowest, high), (f"keras=={plain}", _cpu(tensorflow))
        )
    if numbers[0] == 1 or (numbers < (2, 3, 2) and not version.endswith("-tf")):
        # The last that reads Keras 1, and that ran on every TensorFlow 1.
        reads = ".".join(map(str, numbers)) if numbers > (2, 2, 4) else "2.2.4"
        tensorflow, day, low, high = _TENSORFLOW["1.15"]
        return Release(
            "keras",
            reads,
            tensorflow,
            _day(day) + _WEEKS,
            (low, high),
            (f"keras=={reads}", _cpu(tensorflow), _H5PY),
            None if reads == version else version,
        )
    key = next(reversed(_tensorflows(version, numbers)), "")
    if key not in _TENSORFLOW:
        return None
    tensorflow, day, low, high = _TENSORFLOW[key]
    extra = (_H5PY,) if _key(key) < (2, 5) else ()
    module = "keras" if _key(key) >= (2, 6) else "tensorflow.keras"
    pinned = (f"keras=={minor}.*",) if module == "keras" else ()
    return Release(
        module,
        version.partition("-")[0],
        tensorflow,
        _day(day) + _WEEKS,
        (low, high),
        (*pinned, _cpu(tensorflow), *extra),
    )


def _tensorflows(version: str, numbers: tuple[int, ...]) -> list[str]:
    """Return the TensorFlows, by minor version, whose tf.keras called itself *version*."""
    if version.endswith("-tf"):
        return {"2.2": ["1.15", "2.1"], "2.3": ["2.2"]}.get(f"{numbers[0]}.{numbers[1]}", [])
    if numbers[:2] == (2, 4):
        return ["2.3", "2.4"]
    return [f"{numbers[0]}.{numbers[1]}"]


def _cpu(tensorflow: str) -> str:
    return f"tensorflow-cpu=={tensorflow}"


_VERSION = re.compile(
    r"(\d{1,3})\.(\d{1,3})(?:\.(\d{1,4}))?(?:-tf|[.-]?(?:a|b|rc|dev)[0-9]{0,14})?", re.ASCII
)


def _numbers(version: str | None) -> tuple[int, ...] | None:
    # The whole of it: what stands behind a version would go to an installer.
    match = _VERSION.fullmatch(version or "")
    return None if match is None else tuple(int(part or 0) for part in match.groups())


def _key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _day(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)
