"""The rules that hold a manifest against an environment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from packaging.version import Version

from capsule.environment import Environment
from capsule.environment.frameworks import (
    NUMERIC,
    backend_provider,
    keras_provider,
    provider,
    same_provider,
)
from capsule.manifest import Manifest
from capsule.verdict.facts import is_keras3, keras_generation, removed_from_numpy, same_family
from capsule.verdict.finding import QUESTIONS, Finding
from capsule.verdict.reach import Reach, Reaches, required


@dataclass(frozen=True)
class Case:
    """A manifest, its reaches, and the environment that it is held against."""

    manifest: Manifest
    reaches: Reaches
    environment: Environment

    @cached_property
    def core(self) -> tuple[str, ...]:
        """The distributions of Keras and its backend, which have rules of their own."""
        keras = self.manifest.keras
        names = (keras.distribution, keras.backend_distribution) if keras else ()
        return tuple(name for name in names if name is not None)

    @cached_property
    def framework(self) -> dict[str, Reach]:
        """What Keras and its backend require, with the reach of each."""
        return required(self.manifest, list(self.core))


Rule = Callable[[Case], Iterator[Finding]]


def of_environment(case: Case) -> list[Finding]:
    """Return every finding of *case*."""
    return [finding for rule in RULES for finding in rule(case)]


def bytecode(case: Case) -> Iterator[Finding]:
    """Bytecode of another Python: it raises, or worse, it runs."""
    saved, here = case.manifest.python, case.environment.python
    if saved.magic == here.magic and saved.implementation == here.implementation:
        return
    related = saved.implementation == here.implementation and same_family(saved.minor, here.minor)
    for function in case.manifest.functions:
        if function.key is None:
            continue
        layer = "/".join(function.where)
        if related:
            told = f"{layer} is bytecode of Python {saved.minor}: {here.minor} reads it and runs"
            told += " wrong instructions, which may crash"
        else:
            told = (
                f'{layer} is bytecode of Python {saved.minor}: raises at load ("bad marshal data")'
            )
        yield Finding(
            "bytecode", "warning" if related else "fatal", function.name, told,
            expected=f"Python {saved.minor}", found=f"Python {here.minor}",
            reach=("model", layer),
            remedy=f"load it with capsule.load, or under Python {saved.minor}",
            decides=("keras",),
        )  # fmt: skip
    for name in case.reaches.functions():
        node = case.manifest.nodes[name]
        if node.source is None and node.code is not None:
            short = name.partition(":")[2]
            yield Finding(
                "code-only", "fatal", short,
                f"{short} exists only as bytecode of Python {saved.minor}",
                expected=f"Python {saved.minor}", found=f"Python {here.minor}",
                reach=case.reaches.of_node[name],
                remedy="replay it: capsule replay MODEL --unsafe",
                decides=("capsule",),
            )  # fmt: skip


def python(case: Case) -> Iterator[Finding]:
    """Another version of Python, or another Python."""
    saved, here = case.manifest.python, case.environment.python
    if (saved.implementation, saved.version) == (here.implementation, here.version):
        return
    one, other = f"{saved.implementation} {saved.version}", f"{here.implementation} {here.version}"
    yield Finding("python", "note", "python", f"Python {one} → {other}", expected=one, found=other)


def platform(case: Case) -> Iterator[Finding]:
    """Another system or machine, where the numbers may come out otherwise."""
    saved, here = case.manifest.platform, case.environment.platform
    one, other = f"{saved.system} {saved.machine}", f"{here.system} {here.machine}"
    if one != other:
        yield Finding(
            "platform", "warning", "platform", f"platform {one} → {other}",
            expected=one, found=other, remedy="check the outputs with capsule replay --check",
            decides=("same",),
        )  # fmt: skip
    elif saved.libc != here.libc:
        one, other = " ".join(saved.libc), " ".join(here.libc)
        yield Finding("libc", "note", "libc", f"C library {one} → {other}",
                      expected=one, found=other)  # fmt: skip


def keras(case: Case) -> Iterator[Finding]:
    """No Keras, another generation of it, or another version."""
    saved = case.manifest.keras
    if saved is None:
        yield Finding("keras-unknown", "warning", "keras", "which Keras saved it is not known",
                      decides=QUESTIONS)  # fmt: skip
        return
    found = keras_provider(case.environment.distributions, saved.module)
    expected = f"{saved.distribution or saved.module} {saved.version}"
    if found is None:
        yield Finding(
            "keras-missing", "fatal", saved.module, f"{saved.module} is not installed",
            expected=expected, found=None, reach=("model", saved.module),
            remedy=f"install {saved.distribution or saved.module}, or replay the model",
            decides=QUESTIONS,
        )  # fmt: skip
        return
    version = found[1]
    form = case.manifest.artifact.format
    told = f"Keras {saved.version} → {version}"
    remedy = "replay it: capsule replay MODEL --unsafe"
    if saved.module == "tensorflow.keras":
        return  # TensorFlow's own rule speaks for it
    if keras_generation(saved.module, saved.version, form) != keras_generation(
        saved.module, version, form
    ):
        # A newer Keras reads some of the older ones' .h5, and none of their archives.
        partly = Version(version) > Version(saved.version) and form == "keras-h5"
        told += ": it reads such files in part" if partly else ": it does not read such files"
        yield Finding(
            "keras-generation", "warning" if partly else "fatal", "keras", told,
            expected=expected, found=f"{found[0]} {version}", reach=("model", found[0]),
            remedy=remedy, decides=QUESTIONS,
        )  # fmt: skip
    elif Version(version) != Version(saved.version):
        yield Finding(
            "keras-version", "warning", "keras", told,
            expected=expected, found=f"{found[0]} {version}", reach=("model", found[0]),
            remedy="check it: capsule replay MODEL --unsafe --check",
            decides=QUESTIONS,
        )  # fmt: skip


def backend(case: Case) -> Iterator[Finding]:
    """No backend, or another version of it."""
    saved = case.manifest.keras
    if saved is None:
        return
    found = backend_provider(case.environment.distributions, saved.backend)
    name = saved.backend_distribution or saved.backend
    expected = f"{name} {saved.backend_version or ''}".strip()
    if found is None and is_keras3(saved) and _another_backend(case) is not None:
        yield Finding(
            "backend-other", "warning", saved.backend,
            f"{saved.backend} is not installed, {_another_backend(case)} is",
            expected=expected, found=_another_backend(case),
            reach=("model", saved.module, saved.backend),
            remedy="check it: capsule replay MODEL --unsafe --check",
            decides=("keras", "same"),
        )  # fmt: skip
    elif found is None:
        yield Finding(
            "backend-missing", "fatal", saved.backend, f"{saved.backend} is not installed",
            expected=expected, found=None, reach=("model", saved.module, saved.backend),
            remedy=f"install {name}, or replay the model",
            decides=QUESTIONS,
        )  # fmt: skip
    elif saved.backend_version and Version(found[1]) != Version(saved.backend_version):
        yield Finding(
            "backend-version", "warning", saved.backend,
            f"{saved.backend} {saved.backend_version} → {found[1]}",
            expected=expected, found=" ".join(found), reach=("model", saved.module, saved.backend),
            remedy="check it: capsule replay MODEL --unsafe --check",
            decides=QUESTIONS,
        )  # fmt: skip


def _another_backend(case: Case) -> str | None:
    """Return a backend that Keras 3 would find here, None if there is none."""
    known = ("tensorflow", "jax", "torch")
    return next((b for b in known if backend_provider(case.environment.distributions, b)), None)


def settings(case: Case) -> Iterator[Finding]:
    """What keras.json, the environment or the code sets against what was in effect at save."""
    saved, keras = case.manifest.settings, case.manifest.keras
    told = {} if saved is None else {
        "floatx": saved.floatx, "epsilon": saved.epsilon,
        "image_data_format": saved.image_data_format,
    }  # fmt: skip
    default = {"floatx": "float32", "epsilon": 1e-07, "image_data_format": "channels_last",
               "backend": "tensorflow"}  # fmt: skip
    if keras is not None and keras.module == "keras" and Version(keras.version).major >= 3:
        told["backend"] = keras.backend
    for name, expected in told.items():
        found = case.environment.settings.get(name, default[name])
        if found != expected:
            yield Finding(
                "settings", "warning", name, f"{name} {expected} → {found}",
                expected=str(expected), found=str(found), reach=("model", "keras", name),
                remedy=f"set {name} before loading (keras.json, or KERAS_BACKEND)",
                decides=("keras", "same"),
            )  # fmt: skip


def variables(case: Case) -> Iterator[Finding]:
    """Environment variables that change what Keras computes."""
    if case.environment.kind not in ("live", "interpreter"):
        return
    saved = case.manifest.environment_variables
    for name in sorted({*saved, *case.environment.variables} - {"KERAS_BACKEND"}):
        expected, found = saved.get(name), case.environment.variables.get(name)
        if expected != found:
            yield Finding(
                "variable", "warning", name, f"{name} {expected or 'unset'} → {found or 'unset'}",
                expected=expected, found=found, reach=("model", "keras", name),
                remedy=f"export {name}={expected}" if expected else f"unset {name}",
                decides=("keras", "same"),
            )  # fmt: skip


def reached_distributions(case: Case) -> Iterator[Finding]:
    """Distributions that a function of the model reaches."""
    for name, reach in sorted(case.reaches.of_distribution.items()):
        saved = case.manifest.distribution(name)
        if saved is None or name in case.core:
            continue
        found = provider(case.environment.distributions, same_provider(name))
        if found is None:
            yield Finding(
                "distribution-missing", "fatal", name, f"{name} {saved.version} is not installed",
                expected=saved.version, found=None, reach=reach,
                remedy=f"install {name}=={saved.version}, or replay the model",
                decides=QUESTIONS,
            )  # fmt: skip
        elif Version(found[1]) != Version(saved.version):
            yield _moved(case, name, saved.version, found[1], reach)


def _moved(case: Case, name: str, saved: str, found: str, reach: tuple[str, ...]) -> Finding:
    gone = []
    if name == "numpy":
        gone = sorted({
            attribute
            for node in case.reaches.functions()
            for binding in case.manifest.nodes[node].names if binding.to == "numpy"
            for attribute in binding.taken if removed_from_numpy(attribute, found)
        })  # fmt: skip
    if gone:
        return Finding(
            "api-removed", "fatal", name, f"numpy.{gone[0]} is gone in numpy {found}",
            expected=saved, found=found, reach=(*reach, f"numpy.{gone[0]}"),
            remedy=f"install numpy=={saved}, or replay the model",
            decides=QUESTIONS,
        )  # fmt: skip
    nodes = case.manifest.nodes
    # What a function imports from it by name has to be there for the function to be rebuilt.
    imported = any(
        binding.attribute and nodes[binding.to].distribution == name
        for node in case.reaches.functions()
        for binding in nodes[node].names if binding.to is not None
    )  # fmt: skip
    return Finding(
        "distribution-version", "warning", name, f"{name} {saved} → {found}",
        expected=saved, found=found, reach=reach,
        remedy="check it: capsule replay MODEL --unsafe --check",
        decides=QUESTIONS if imported else ("keras", "same"),
    )  # fmt: skip


def framework_distributions(case: Case) -> Iterator[Finding]:
    """Distributions that Keras and the backend need."""
    for name, reach in sorted(case.framework.items()):
        if name in case.core or name in case.reaches.of_distribution:
            continue
        saved = case.manifest.distribution(name)
        found = case.environment.distributions.get(name)
        if saved is None or (found and Version(found) == Version(saved.version)):
            continue
        if found is None:
            # Other versions of the framework may need others: only numbers are missed for sure.
            yield Finding(
                "distribution-missing", "warning" if name in NUMERIC else "note", name,
                f"{name} {saved.version} is not installed",
                expected=saved.version, found=None, reach=reach,
                decides=QUESTIONS if name in NUMERIC else (),
            )  # fmt: skip
        else:
            numeric = name in NUMERIC
            yield Finding(
                "distribution-version", "warning" if numeric else "note", name,
                f"{name} {saved.version} → {found}",
                expected=saved.version, found=found, reach=reach,
                decides=("keras", "same") if numeric else (),
            )  # fmt: skip


def other_distributions(case: Case) -> Iterator[Finding]:
    """Distributions that nothing of the model reaches: noise, told as such."""
    known = {*case.core, *case.framework, *case.reaches.of_distribution}
    for saved in case.manifest.distributions:
        found = case.environment.distributions.get(saved.name)
        if saved.name not in known and found != saved.version:
            yield Finding(
                "unreached", "note", saved.name,
                f"{saved.name} {saved.version} → {found or 'not installed'}",
                expected=saved.version, found=found,
            )  # fmt: skip


RULES: tuple[Rule, ...] = (
    bytecode, python, platform, keras, backend, settings, variables, reached_distributions,
    framework_distributions, other_distributions,
)  # fmt: skip
