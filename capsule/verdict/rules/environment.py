"""The rules that hold a manifest against an environment."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.version import Version

from capsule.bytecode.formats import same_family
from capsule.environment.frameworks import backend_provider, keras_provider
from capsule.keras_compat.facts import is_keras3, keras_generation
from capsule.verdict.case import Case, Rule
from capsule.verdict.finding import QUESTIONS, Finding
from capsule.verdict.reach import Reach
from capsule.verdict.rules.distributions import (
    framework_distributions,
    other_distributions,
    reached_distributions,
)


def of_environment(case: Case) -> list[Finding]:
    """Return every finding of *case*."""
    served = case.manifest.artifact.format == "saved-model"
    return [finding for rule in (SERVED if served else RULES) for finding in rule(case)]


def served(case: Case) -> Iterator[Finding]:
    """A SavedModel: TensorFlow serves its graph, Keras 3 reads no folder."""
    name = case.manifest.artifact.name
    found = backend_provider(case.environment.distributions, "tensorflow")
    if found is None:
        yield Finding(
            "backend-missing",
            "fatal",
            "tensorflow",
            "tensorflow is not installed",
            expected="tensorflow",
            found=None,
            reach=("model", "tensorflow"),
            remedy="install tensorflow, or replay the model",
            decides=QUESTIONS,
        )
        return
    keras = keras_provider(case.environment.distributions, "keras")
    third = keras is not None and Version(keras[1]).major >= 3
    exported = is_keras3(case.manifest.keras)
    refused = third or exported
    yield Finding(
        "served",
        "fatal" if refused else "warning",
        name,
        "it is a SavedModel: its functions are in the graph, "
        + (
            "and load_model reads no such folder"
            if refused
            else "and Keras 2 makes a model of it only in part"
        ),
        found=" ".join(keras) if keras else None,
        reach=("model", "keras"),
        remedy="capsule.load serves its graph",
        decides=("keras",),
    )
    saved = case.manifest.keras.backend_version if case.manifest.keras else None
    if saved is None or Version(found[1]) != Version(saved):
        yield Finding(
            "backend-version",
            "warning",
            "tensorflow",
            f"tensorflow {saved} → {found[1]}",
            expected=saved,
            found=" ".join(found),
            reach=("model", "tensorflow"),
            remedy="check it: capsule replay MODEL --unsafe --check",
            decides=("same",),
        )


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
            "bytecode",
            "warning" if related else "fatal",
            function.name,
            told,
            expected=f"Python {saved.minor}",
            found=f"Python {here.minor}",
            reach=("model", layer),
            remedy=f"load it with capsule.load, or under Python {saved.minor}",
            decides=("keras",),
        )
    for name in case.reaches.functions():
        node = case.manifest.nodes[name]
        if node.source is None and node.code is not None:
            short = name.partition(":")[2]
            yield Finding(
                "code-only",
                "fatal",
                short,
                f"{short} exists only as bytecode of Python {saved.minor}",
                expected=f"Python {saved.minor}",
                found=f"Python {here.minor}",
                reach=case.reaches.of_node[name],
                remedy="replay it: capsule replay MODEL --unsafe",
                decides=("capsule",),
            )


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
            "platform",
            "warning",
            "platform",
            f"platform {one} → {other}",
            expected=one,
            found=other,
            remedy="check the outputs with capsule replay --check",
            decides=("same",),
        )
    elif saved.libc != here.libc:
        one, other = " ".join(saved.libc), " ".join(here.libc)
        yield Finding(
            "libc", "note", "libc", f"C library {one} → {other}", expected=one, found=other
        )


def keras(case: Case) -> Iterator[Finding]:
    """No Keras, another generation of it, or another version."""
    saved = case.manifest.keras
    if saved is None:
        yield Finding(
            "keras-unknown",
            "warning",
            "keras",
            "which Keras saved it is not known",
            decides=QUESTIONS,
        )
        return
    expected = f"{saved.distribution or saved.module} {saved.version}"
    if case.keras is None:
        yield Finding(
            "keras-missing",
            "fatal",
            saved.module,
            f"{saved.module} is not installed",
            expected=expected,
            found=None,
            reach=("model", saved.module),
            remedy=f"install {saved.distribution or saved.module}, or replay the model",
            decides=QUESTIONS,
        )
        return
    module, distribution, version = case.keras
    form = case.manifest.artifact.format
    told = f"Keras {saved.version} → {version}"
    remedy = "replay it: capsule replay MODEL --unsafe"
    if saved.module == "tensorflow.keras":
        return  # TensorFlow's own rule speaks for it
    if keras_generation(saved.module, saved.version, form) != keras_generation(
        module, version, form
    ):
        # A newer Keras reads some of the older ones' .h5, and none of their archives.
        partly = Version(version) > Version(saved.version) and form == "keras-h5"
        told += ": it reads such files in part" if partly else ": it does not read such files"
        yield Finding(
            "keras-generation",
            "warning" if partly else "fatal",
            "keras",
            told,
            expected=expected,
            found=f"{distribution} {version}",
            reach=("model", distribution),
            remedy=remedy,
            decides=QUESTIONS,
        )
    elif (module, Version(version)) != (saved.module, Version(saved.version)):
        yield Finding(
            "keras-version",
            "warning",
            "keras",
            told,
            expected=expected,
            found=f"{distribution} {version}",
            reach=("model", distribution),
            remedy="check it: capsule replay MODEL --unsafe --check",
            decides=QUESTIONS,
        )


def backend(case: Case) -> Iterator[Finding]:
    """No backend, or another version of it."""
    saved = case.manifest.keras
    if saved is None:
        return
    found = backend_provider(case.environment.distributions, saved.backend)
    name = saved.backend_distribution or saved.backend
    expected = f"{name} {saved.backend_version or ''}".strip()
    other = _another_backend(case)
    if found is None and other is not None:
        reached = _reaching(case, name)
        yield Finding(
            "backend-other",
            "fatal" if reached else "warning",
            saved.backend,
            f"{saved.backend} is not installed, {other} is",
            expected=expected,
            found=other,
            reach=reached or ("model", saved.module, saved.backend),
            remedy="replay it: capsule replay MODEL --unsafe",
            decides=QUESTIONS if reached else ("keras", "same"),
        )
    elif found is None:
        yield Finding(
            "backend-missing",
            "fatal",
            saved.backend,
            f"{saved.backend} is not installed",
            expected=expected,
            found=None,
            reach=("model", saved.module, saved.backend),
            remedy=f"install {name}, or replay the model",
            decides=QUESTIONS,
        )
    elif saved.backend_version and Version(found[1]) != Version(saved.backend_version):
        yield Finding(
            "backend-version",
            "warning",
            saved.backend,
            f"{saved.backend} {saved.backend_version} → {found[1]}",
            expected=expected,
            found=" ".join(found),
            reach=("model", saved.module, saved.backend),
            remedy="check it: capsule replay MODEL --unsafe --check",
            decides=QUESTIONS,
        )


def _another_backend(case: Case) -> str | None:
    """Return a backend that the Keras 3 here would find, None if there is none."""
    if case.keras is None or Version(case.keras[2]).major < 3:
        return None
    known = ("tensorflow", "jax", "torch")
    return next((b for b in known if backend_provider(case.environment.distributions, b)), None)


def _reaching(case: Case, distribution: str) -> Reach:
    """Return how a function reaches more of the backend than its Keras, () if none does."""
    nodes = case.manifest.nodes
    for name in case.reaches.functions():
        for binding in nodes[name].names:
            held = binding.to is not None and nodes[binding.to].distribution == distribution
            if held and (binding.attribute or "").split(".")[0] != "keras":
                return (*case.reaches.of_node[name], binding.name)
    return ()


def settings(case: Case) -> Iterator[Finding]:
    """What keras.json, the environment or the code sets against what was in effect at save."""
    saved, keras = case.manifest.settings, case.manifest.keras
    told = (
        {}
        if saved is None
        else {
            "floatx": saved.floatx,
            "epsilon": saved.epsilon,
            "image_data_format": saved.image_data_format,
        }
    )
    default = {
        "floatx": "float32",
        "epsilon": 1e-07,
        "image_data_format": "channels_last",
        "backend": "tensorflow",
    }
    if keras is not None and keras.module == "keras" and Version(keras.version).major >= 3:
        told["backend"] = keras.backend
    for name, expected in told.items():
        found = case.environment.settings.get(name, default[name])
        if found != expected:
            yield Finding(
                "settings",
                "warning",
                name,
                f"{name} {expected} → {found}",
                expected=str(expected),
                found=str(found),
                reach=("model", "keras", name),
                remedy=f"set {name} before loading (keras.json, or KERAS_BACKEND)",
                decides=("keras", "same"),
            )


def variables(case: Case) -> Iterator[Finding]:
    """Environment variables that change what Keras computes."""
    if case.environment.kind not in ("live", "interpreter"):
        return
    saved = case.manifest.environment_variables
    for name in sorted({*saved, *case.environment.variables} - {"KERAS_BACKEND"}):
        expected, found = saved.get(name), case.environment.variables.get(name)
        if expected != found:
            yield Finding(
                "variable",
                "warning",
                name,
                f"{name} {expected or 'unset'} → {found or 'unset'}",
                expected=expected,
                found=found,
                reach=("model", "keras", name),
                remedy=f"export {name}={expected}" if expected else f"unset {name}",
                decides=("keras", "same"),
            )


RULES: tuple[Rule, ...] = (
    bytecode,
    python,
    platform,
    keras,
    backend,
    settings,
    variables,
    reached_distributions,
    framework_distributions,
    other_distributions,
)
SERVED: tuple[Rule, ...] = (python, platform, served, other_distributions)
