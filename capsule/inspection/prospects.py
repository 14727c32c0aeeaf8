"""What will happen when somebody loads the file: with plain Keras, capsule.load, replay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from capsule.inspection.model import FunctionRead, Inspection
from capsule.keras_compat.releases import release_of


@dataclass(frozen=True)
class Prospect:
    """One way to load the file: yes, no or perhaps, why, and what to type (or None)."""

    way: str
    answer: str
    why: str
    command: str | None = None


def prospects(inspection: Inspection) -> list[Prospect]:
    """Return what plain Keras, ``capsule.load`` and ``replay`` will do with the file."""
    if inspection.format == "weights-h5":
        why = "it holds weights and no model: build the model in code, then model.load_weights"
        return [Prospect(way, "no", why) for way in ("plain Keras", "capsule.load", "replay")]
    if inspection.format == "saved-model":
        name = inspection.path.replace("\\", "/").rstrip("/").rpartition("/")[2]
        served = "served through its graph, which needs none of its Python: it predicts, no more"
        return [
            Prospect("plain Keras", "no", "Keras 3 reads no SavedModel"),
            Prospect("capsule.load", "perhaps", served, f'capsule.load("{name}", safe_mode=False)'),
            Prospect("replay", "no", "nothing was recorded to replay: its graph is served here"),
        ]
    return [_plain(inspection), _load(inspection), _replay(inspection)]


def _plain(inspection: Inspection) -> Prospect:
    for code, told in inspection.troubles:
        if code != "architecture-only":
            return Prospect("plain Keras", "no", told)
    for function in inspection.functions:
        if function.kind == "by-name":
            why = f"{function.label} is {_called(function)}, of which the file holds only the name"
            return Prospect("plain Keras", "no", why)
        if function.missing:
            return Prospect("plain Keras", "no", f"{function.label} needs {function.missing[0]}")
    carried = [one for one in inspection.functions if one.key is not None]
    if carried:
        pythons = _range(inspection)
        return Prospect("plain Keras", "perhaps", f"only on Python {pythons}, names permitting")
    return Prospect("plain Keras", "perhaps", f"it was written by Keras {inspection.keras or '?'}")


def _load(inspection: Inspection) -> Prospect:
    name = inspection.path.replace("\\", "/").rpartition("/")[2]
    for function in inspection.functions:
        if function.unread is not None:
            return Prospect("capsule.load", "no", f"{function.label} could not be read")
        if function.kind != "by-name" and function.key is not None and function.source is None:
            why = f"{function.label} could not be lifted: {function.stopped}"
            return Prospect("capsule.load", "perhaps", why)
    asked = wanted(inspection)
    by_name = [one for one in inspection.functions if one.kind == "by-name"]
    given = []
    if by_name or inspection.classes:
        inside = [f'"{_called(one)}": …' for one in by_name]
        inside += [f'"{c.rpartition(".")[2]}": …' for c in inspection.classes]
        given.append(f"custom_objects={{{', '.join(dict.fromkeys(inside))}}}")
    if asked:
        given.append(f"bind={{{', '.join(f'{chr(34)}{n}{chr(34)}: …' for n in asked)}}}")
    command = f'capsule.load("{name}", {"".join(g + ", " for g in given)}safe_mode=False)'
    if given:
        what = [*asked, *(_called(one) for one in by_name), *inspection.classes]
        return Prospect(
            "capsule.load", "perhaps", f"given {', '.join(dict.fromkeys(what))}", command
        )
    restored = [one for one in inspection.functions if one.key is not None]
    why = f"{_several(restored)} restored from lifted source" if restored else "nothing to restore"
    return Prospect("capsule.load", "perhaps", why, command)


def _replay(inspection: Inspection) -> Prospect:
    release = release_of(inspection.keras)
    if release is None:
        told = f"of Keras {inspection.keras}" if inspection.keras else "the file does not tell"
        return Prospect("replay", "perhaps", f"which environment to build, {told}, is not known")
    name = inspection.path.replace("\\", "/").rpartition("/")[2]
    low, high = release.pythons
    why = f"Keras {release.version}, TensorFlow {release.tensorflow}, Python {low} to {high}"
    if release.reads:
        why += f" (Keras {release.version} reads what {release.reads} wrote)"
    bound = "".join(f" --bind {one}=…" for one in wanted(inspection))
    return Prospect("replay", "perhaps", why, f"capsule replay {name} --unsafe{bound}")


def wanted(inspection: Inspection) -> list[str]:
    """Return the names that the functions use and nothing in the file defines, once each."""
    return list(dict.fromkeys(n for one in inspection.functions for n in one.missing))


def _called(function: FunctionRead) -> str:
    return function.name.rpartition(">")[2]


def _several(functions: list[FunctionRead]) -> str:
    names = list(dict.fromkeys(one.label for one in functions))
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return ", ".join(names[:2]) + more


def _range(inspection: Inspection) -> str:
    low, high = inspection.python.lowest, inspection.python.highest
    return f"{low}" if low == high else f"{low} to {high}"


def grouped(inspection: Inspection) -> Iterator[tuple[FunctionRead, list[str]]]:
    """Give each function once, with the labels of all places where it stands."""
    found: dict[object, tuple[FunctionRead, list[str]]] = {}
    for one in inspection.functions:
        same = (one.key, one.role) if one.key else (one.name, one.role, one.module)
        found.setdefault(same, (one, []))[1].append(one.label)
    yield from found.values()
