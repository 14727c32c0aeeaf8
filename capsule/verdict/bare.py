"""The verdict on a file that was never captured: from what it tells of itself alone.

Nothing was recorded when it was saved, so no answer is a yes: what would certainly fail is
a no with its reason, the rest is unknown, with what to try.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from packaging.version import Version

from capsule.artifact import Artifact
from capsule.environment import Environment
from capsule.environment.frameworks import backend_provider, keras_provider
from capsule.inspection import FunctionRead, Inspection
from capsule.keras_compat.translation import Untranslatable, translated
from capsule.verdict.finding import QUESTIONS, Finding

REPLAY = "replay it: capsule replay MODEL --unsafe"


def bare_findings(
    inspection: Inspection,
    artifact: Artifact,
    environment: Environment,
    given: Collection[str] = (),
    bound: Collection[str] = (),
) -> list[Finding]:
    """Return what can be said of a file without a sidecar in *environment*.

    *given* are names of custom objects that the caller passes, *bound* names that it binds.
    """
    name = artifact.path.name
    if inspection.format == "weights-h5":
        return [
            _no(
                "weights-only",
                name,
                "it holds weights and no model",
                "build the model in code, then model.load_weights",
            )
        ]
    replayed = REPLAY.replace("MODEL", name)
    found = list(_framework(inspection, environment))
    found += _form(inspection, artifact, environment)
    served = inspection.format == "saved-model"  # by its graph: no function is needed
    for function in () if served else inspection.functions:
        found += _function(function, environment, set(given), set(bound))
    for known in () if served else inspection.classes:
        short = known.rpartition(".")[2]
        if short not in given:
            found.append(
                _no(
                    "custom-class",
                    short,
                    f"{known} is a class of somebody's own, not in the file",
                    f'give it: custom_objects={{"{short}": …}}',
                )
            )
    found.append(
        Finding(
            "never-captured",
            "warning",
            name,
            "nothing was recorded when it was saved, so nothing can be promised",
            reach=("model",),
            remedy=REPLAY,
            decides=QUESTIONS,
        )
    )
    # The command as it is to be typed.
    told = [replace(one, remedy=replayed) if one.remedy == REPLAY else one for one in found]
    return list(dict.fromkeys(told))


def _no(
    code: str,
    subject: str,
    message: str,
    remedy: str,
    decides: Iterable[str] = QUESTIONS,
    reach: tuple[str, ...] = ("model",),
) -> Finding:
    return Finding(
        code, "fatal", subject, message, reach=reach, remedy=remedy, decides=tuple(decides)
    )


def _framework(inspection: Inspection, environment: Environment) -> Iterator[Finding]:
    installed = environment.distributions
    keras = keras_provider(installed, "keras")
    if keras is None and keras_provider(installed, "tf_keras") is None:
        yield _no("keras-missing", "keras", "no Keras is installed", "install it, or replay")
    backend = (inspection.backend or "tensorflow").lower()
    reached = {name for one in inspection.functions for name in one.uses}
    if backend_provider(installed, backend) is None and "tf" in reached:
        yield _no("backend-missing", backend, f"{backend} is not installed", REPLAY)


def _form(
    inspection: Inspection, artifact: Artifact, environment: Environment
) -> Iterator[Finding]:
    """Give why a Keras 3 can't read the file: as it is, and in its own words."""
    keras = keras_provider(environment.distributions, "keras")
    if keras is None or Version(keras[1]).major < 3:
        return
    for code, told in inspection.troubles:
        if code == "archive-of-keras-2":
            yield _no(code, "keras", told, REPLAY)
        elif code == "architecture-only":
            yield Finding(code, "note", artifact.path.name, f"{told}: they will be fresh ones")
        else:
            yield _no(code, "keras", told, "capsule.load puts it in Keras 3's words", ("keras",))
    if needs_translation(inspection, artifact.format):
        try:
            translated(artifact.config, inspection.keras)
        except Untranslatable as error:
            yield _no("not-translated", "keras", error.reason, REPLAY)


def needs_translation(inspection: Inspection, form: str) -> bool:
    """Tell whether a Keras 3 can read the file only in other words."""
    return form in ("keras-h5", "keras-json") and not (inspection.keras or "").startswith("3.")


def _function(
    function: FunctionRead, environment: Environment, given: set[str], bound: set[str]
) -> Iterator[Finding]:
    reach = ("model", *function.where)
    short = function.name.rpartition(">")[2]
    if function.kind in ("by-name", "class"):
        if short not in given and not _keras_knows(function):
            told = f"{function.label} is {short}, of which the file holds only the name"
            registered = f" (registered as {function.name})" if ">" in function.name else ""
            yield _no(
                "by-name",
                short,
                told + registered,
                f'give it: custom_objects={{"{short}": …}}',
                reach=reach,
            )
        return
    if function.unread is not None:
        yield _no(
            "unread",
            function.label,
            f"{function.label} can't be read: {function.unread}",
            "save the model again",
            reach=reach,
        )
        return
    here = environment.python.minor
    if function.damaged:
        told = f"{function.label} was damaged by Keras on Windows: {function.damaged}"
        remedy = "capsule.load puts it right"
        yield _no("damaged", function.label, told, remedy, ("keras",), reach)
    if here not in function.pythons:
        pythons = " or ".join(function.pythons)
        yield _no(
            "bytecode",
            function.label,
            f"{function.label} is bytecode of Python {pythons}: raises at load"
            ' ("bad marshal data"), or crashes',
            "capsule.load restores it from its lifted source",
            ("keras",),
            reach,
        )
    if function.source is None and here not in function.pythons:
        yield _no(
            "not-lifted",
            function.label,
            f"{function.label} can't be lifted: {function.stopped}",
            REPLAY,
            ("capsule", "same"),
            reach,
        )
    for name in function.missing:
        if name not in bound:
            remedy = f'say what it is: capsule.load(…, bind={{"{name}": …}})'
            yield _no(
                "name-missing",
                name,
                f"{function.label} uses {name}, which nothing in the file defines",
                remedy,
                reach=reach,
            )


def _keras_knows(function: FunctionRead) -> bool:
    from capsule.keras_compat.facts import KERAS_NAMES

    top = (function.module or "").split(".")[0]
    return function.name in KERAS_NAMES or (top in ("keras", "tf_keras") and bool(function.module))


def lacking(inspection: Inspection) -> list[str]:
    """Return the names of what the file names and does not hold: functions and classes."""
    found = [
        one.name.rpartition(">")[2]
        for one in inspection.functions
        if one.kind in ("by-name", "class") and not _keras_knows(one)
    ]
    found += [name.rpartition(">")[2].rpartition(".")[2] for name in inspection.classes]
    return list(dict.fromkeys(found))
