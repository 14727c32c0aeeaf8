"""The rules that hold Python, Keras, its backend and its settings against an environment."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.version import Version

from capsule.bytecode.pythons import same_family
from capsule.environment.frameworks import backend_provider, keras_provider
from capsule.keras_compat.facts import is_keras3, keras_generation
from capsule.manifest import KerasFacts, PythonFacts
from capsule.verdict.case import Case, CaseRule
from capsule.verdict.codes import environment as codes
from capsule.verdict.finding import QUESTIONS, Finding, Reach
from capsule.verdict.reach import layer_of, reach_of

_BACKENDS_OF_KERAS_3 = ("tensorflow", "jax", "torch")
_DEFAULT_SETTINGS = {
    "floatx": "float32",
    "epsilon": 1e-07,
    "image_data_format": "channels_last",
    "backend": "tensorflow",
}


def served(case: Case) -> Iterator[Finding]:
    """Find a SavedModel: TensorFlow serves its graph, Keras 3 reads no folder."""
    name = case.manifest.artifact.name
    backend = backend_provider(case.environment.distributions, "tensorflow")
    if backend is None:
        yield codes.BACKEND_MISSING(
            "tensorflow", ("model", "tensorflow"), expected="tensorflow", distribution="tensorflow"
        )
        return
    keras = keras_provider(case.environment.distributions, "keras")
    third = keras is not None and Version(keras.version).major >= 3
    refused = third or is_keras3(case.manifest.keras)
    code = codes.SERVED if refused else codes.SERVED_PARTLY
    yield code(name, ("model", "keras"), found=str(keras) if keras else None)
    saved = case.manifest.keras.backend_version if case.manifest.keras else None
    if case.inferred:
        yield codes.BACKEND_UNKNOWN.deciding("capsule", "same")(
            "tensorflow", ("model", "tensorflow"), found=str(backend)
        )
    elif saved is None or Version(backend.version) != Version(saved):
        yield codes.BACKEND_VERSION.deciding("same")(
            "tensorflow",
            ("model", "tensorflow"),
            expected=saved,
            found=str(backend),
            before=saved or "of an unknown version",
            after=backend.version,
        )


def bytecode(case: Case) -> Iterator[Finding]:
    """Find bytecode of another Python: it raises, or worse, it runs."""
    saved, here = case.manifest.python, case.environment.python
    if not _may_differ(saved, here):
        return
    expected = f"Python {_span(saved)}"
    code = codes.BYTECODE_RELATED if _is_related(saved, here) else codes.BYTECODE
    code = codes.BYTECODE_PERHAPS if here.minor in saved.versions else code
    for function in case.manifest.functions:
        if function.key is not None:
            yield code(
                function.name,
                reach_of(function),
                expected=expected,
                found=f"Python {here.minor}",
                layer=layer_of(function),
            )


def code_only(case: Case) -> Iterator[Finding]:
    """Find definitions of which only bytecode is left, which runs under its own Python alone."""
    saved, here = case.manifest.python, case.environment.python
    if not _may_differ(saved, here):
        return
    maybe = here.minor in saved.versions
    code = codes.CODE_ONLY.with_severity("warning") if maybe else codes.CODE_ONLY
    for name in case.reaches.functions():
        node = case.manifest.nodes[name]
        if node.source is None and node.code is not None:
            reason = f" ({node.reason})" if case.inferred and node.reason else ""
            yield code(
                case.called(name),
                case.reaches.of_node[name],
                expected=f"Python {_span(saved)}",
                found=f"Python {here.minor}",
                reason=reason,
            )


def _may_differ(saved: PythonFacts, here: PythonFacts) -> bool:
    """Tell whether the bytecode may be another Python's than the one here."""
    if saved.implementation != here.implementation:
        return True
    if saved.version is None:
        return saved.versions != (here.minor,)
    return saved.magic != here.magic


def _is_related(saved: PythonFacts, here: PythonFacts) -> bool:
    """Tell whether bytecode of *saved* may parse here, and then run as something else."""
    if saved.implementation != here.implementation:
        return False
    return any(same_family(minor, here.minor) for minor in saved.versions or (saved.minor,))


def _span(python: PythonFacts) -> str:
    """Return the minor versions that a Python may be, as a person says them."""
    if len(python.versions) > 1:
        return f"{python.versions[0]} to {python.versions[-1]}"
    return python.minor


def python(case: Case) -> Iterator[Finding]:
    """Find another version of Python, or another Python."""
    saved, here = case.manifest.python, case.environment.python
    if (saved.implementation, saved.version) == (here.implementation, here.version):
        return
    expected = f"{saved.implementation} {saved.version or _span(saved)}"
    yield codes.PYTHON("python", expected=expected, found=f"{here.implementation} {here.version}")


def platform(case: Case) -> Iterator[Finding]:
    """Find another system or machine, where the numbers may come out otherwise."""
    saved, here = case.manifest.platform, case.environment.platform
    if saved is None or here is None:
        return
    machine, other = f"{saved.system} {saved.machine}", f"{here.system} {here.machine}"
    if machine != other:
        yield codes.PLATFORM("platform", expected=machine, found=other)
    elif saved.libc != here.libc:
        yield codes.LIBC("libc", expected=" ".join(saved.libc), found=" ".join(here.libc))


def keras(case: Case) -> Iterator[Finding]:
    """Find a Keras that is missing, of another generation, or of another version."""
    saved = case.manifest.keras
    if case.keras is None:
        module = saved.module if saved else "keras"
        distribution = (saved and saved.distribution) or module
        yield codes.KERAS_MISSING(
            module,
            ("model", module),
            expected=_requirement(saved) if saved else "keras",
            distribution=distribution,
        )
        return
    if saved is None:
        yield codes.KERAS_UNKNOWN("keras")
        return
    if saved.module == case.keras.module == "tensorflow.keras":
        return  # TensorFlow's own rule speaks for it
    module, distribution, version = case.keras
    form = case.manifest.artifact.format
    saved_generation = keras_generation(saved.module, saved.version, form)
    if saved_generation != keras_generation(module, version, form):
        # A newer Keras reads some of the older ones' files, and none of their archives.
        partly = _is_newer(version, saved.version) and form != "keras-zip"
        code = codes.KERAS_GENERATION_PARTLY if partly else codes.KERAS_GENERATION
    elif module != saved.module or Version(version) != Version(saved.version):
        code = codes.KERAS_VERSION
    else:
        return
    yield code(
        "keras",
        ("model", distribution),
        expected=_requirement(saved),
        found=f"{distribution} {version}",
        before=saved.version,
        after=version,
    )


def _requirement(saved: KerasFacts) -> str:
    return f"{saved.distribution or saved.module} {saved.version}"


def _is_newer(version: str, saved: str) -> bool:
    return Version(version) > Version(saved)


def backend(case: Case) -> Iterator[Finding]:
    """Find a backend that is missing, another one, or of another version."""
    saved = case.manifest.keras
    if saved is None:
        return
    if saved.backend is None:
        yield from _unknown_backend(case, saved)
        return
    installed = backend_provider(case.environment.distributions, saved.backend)
    if installed is None:
        yield _without_backend(case, saved, saved.backend)
        return
    reach = ("model", saved.module, saved.backend)
    if saved.backend_version is None:
        yield codes.BACKEND_UNKNOWN(saved.backend, reach, found=str(installed))
    elif Version(installed.version) != Version(saved.backend_version):
        yield codes.BACKEND_VERSION(
            saved.backend,
            reach,
            expected=f"{saved.backend_distribution or saved.backend} {saved.backend_version}",
            found=str(installed),
            before=saved.backend_version,
            after=installed.version,
        )


def _unknown_backend(case: Case, saved: KerasFacts) -> Iterator[Finding]:
    """Give what can be said where the file does not say which backend it was saved with."""
    installed = case.environment.distributions
    there = [b for b in _BACKENDS_OF_KERAS_3 if backend_provider(installed, b)]
    used = [b for b in _BACKENDS_OF_KERAS_3 if b in case.reaches.of_node and b not in there]
    for name in used or ([] if there else ["tensorflow"]):
        reach = case.reaches.of_node[name] if used else ("model", saved.module, name)
        yield codes.BACKEND_MISSING(name, reach, expected=name, distribution=name)
    if there and not used:
        yield codes.BACKEND_UNKNOWN("the backend", ("model", saved.module), found=there[0])


def _without_backend(case: Case, saved: KerasFacts, name: str) -> Finding:
    """Return the finding for a backend that is not installed: another one may serve."""
    distribution = saved.backend_distribution or name
    expected = f"{distribution} {saved.backend_version or ''}".strip()
    reach = ("model", saved.module, name)
    other = _other_backend(case)
    if other is None:
        return codes.BACKEND_MISSING(name, reach, expected=expected, distribution=distribution)
    used = _reach_of_backend(case, distribution)
    code = codes.BACKEND_OTHER
    code = code.with_severity("fatal").deciding(*QUESTIONS) if used else code
    return code(name, used or reach, expected=expected, found=other)


def _other_backend(case: Case) -> str | None:
    """Return a backend that the Keras 3 here would find, None if there is none."""
    if case.keras is None or not case.keras.third:
        return None
    installed = case.environment.distributions
    return next((b for b in _BACKENDS_OF_KERAS_3 if backend_provider(installed, b)), None)


def _reach_of_backend(case: Case, distribution: str) -> Reach:
    """Return how a function reaches more of the backend than its Keras, () if none does."""
    nodes = case.manifest.nodes
    for name in case.reaches.functions():
        for binding in nodes[name].names:
            if binding.to is None or (binding.attribute or "").split(".")[0] == "keras":
                continue
            if distribution in (nodes[binding.to].distribution, binding.to):
                return (*case.reaches.of_node[name], binding.name)
    return ()


def settings(case: Case) -> Iterator[Finding]:
    """Find what keras.json, the environment or the code sets against what was in effect at save."""
    saved, keras = case.manifest.settings, case.manifest.keras
    expected: dict[str, object] = {}
    if saved is not None:
        expected = {
            name: getattr(saved, name) for name in ("floatx", "epsilon", "image_data_format")
        }
    if keras is not None and keras.backend is not None and is_keras3(keras):
        expected["backend"] = keras.backend
    for name, value in expected.items():
        setting = case.environment.settings.get(name, _DEFAULT_SETTINGS[name])
        if setting != value:
            yield codes.SETTINGS(
                name, ("model", "keras", name), expected=str(value), found=str(setting)
            )


def variables(case: Case) -> Iterator[Finding]:
    """Find environment variables that change what Keras computes."""
    saved = case.manifest.environment_variables
    if saved is None or case.environment.kind not in ("live", "interpreter"):
        return
    for name in sorted({*saved, *case.environment.variables} - {"KERAS_BACKEND"}):
        expected, value = saved.get(name), case.environment.variables.get(name)
        if expected != value:
            code = codes.VARIABLE if expected else codes.VARIABLE_UNSET
            yield code(
                name,
                ("model", "keras", name),
                expected=expected,
                found=value,
                before=expected or "unset",
                after=value or "unset",
            )


OF_CASE: tuple[CaseRule, ...] = (
    bytecode,
    code_only,
    python,
    platform,
    keras,
    backend,
    settings,
    variables,
)
OF_SERVED: tuple[CaseRule, ...] = (python, platform, served)
