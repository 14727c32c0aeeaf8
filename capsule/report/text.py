"""What a person sees: first the answer, then why, then what to type."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from capsule.consent.consent import ConsentError
from capsule.errors import escaped

if TYPE_CHECKING:  # only what a command uses is imported when it runs
    from capsule.capture.writing import Saved
    from capsule.manifest import Manifest
    from capsule.rebuild.cached_environment import CachedEnvironment
    from capsule.rebuild.resolve import Resolution
    from capsule.verdict import Finding, Verdict
    from capsule.verdict.finding import Question

_LABELS: dict[Question, str] = {
    "keras": "plain Keras",
    "capsule": "capsule.load",
    "same": "same outputs",
}


@dataclass(frozen=True)
class Replay:
    """What rebuilding the environment of a model came to."""

    resolution: Resolution
    environment: CachedEnvironment | None
    """The environment; None where it was not built for want of consent."""
    needs_building: tuple[str, ...]
    """Distributions without wheels, which consent would allow to be built."""
    seconds: float
    """What resolving and building took."""


def saved_with(manifest: Manifest) -> str:
    """Return Python, Keras and backend of a manifest in one line."""
    python = manifest.python
    parts = [f"Python {python.version or ' or '.join(python.versions)}"]
    if manifest.keras is not None:
        parts.append(f"Keras {manifest.keras.version}")
        backend = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
        name = manifest.keras.backend or ""
        parts.append(f"{backend.get(name, name)} {manifest.keras.backend_version or ''}".strip())
    return ", ".join(filter(None, parts))


def _here(verdict: Verdict) -> str:
    from capsule.environment.frameworks import backend_provider, keras_provider

    environment, keras = verdict.environment, verdict.manifest.keras
    parts = [f"Python {environment.python.version}"]
    installed = environment.distributions
    provider = keras_provider(installed, keras.module if keras else "keras")
    parts.append(f"Keras {provider.version}" if provider else "no Keras")
    backend = backend_provider(installed, (keras and keras.backend) or "tensorflow")
    if backend:
        parts.append(str(backend))
    return ", ".join(parts)


def _origin(manifest: Manifest) -> str:
    """Return what saved the model, as far as the manifest knows it, in one line."""
    if manifest.origin != "inferred":
        verb = "saved with" if manifest.origin == "recorded" else "described with"
        return f"{verb} {saved_with(manifest)}"
    facts = {fact.subject: fact for fact in manifest.evidence}
    keras = f"Keras {facts['keras'].value}" if "keras" in facts else "an unknown Keras"
    python = f", Python {facts['python'].value}" if "python" in facts else ""
    return f"has no sidecar; the file tells of {keras}{python}"


def assumption_lines(manifest: Manifest) -> Iterator[str]:
    """Give what an inferred manifest infers or assumes, and why."""
    for fact in manifest.evidence:
        if fact.how != "read" and "\n" not in fact.value:
            yield f"  {fact.how:<14} {fact.subject}: {fact.value} ({fact.why})"


def verdict_lines(verdict: Verdict, *, verbose: bool = False) -> Iterator[str]:
    """Give the lines of a verdict: the three answers, why, and what to type."""
    name = verdict.artifact.name
    width = max(len(name), 4) + 3
    where = "here" if verdict.environment.kind == "live" else "there"
    yield f"{name:<{width}}{_origin(verdict.manifest)}"
    yield f"{where:<{width}}{_here(verdict)}"
    for warning in verdict.manifest.warnings:
        yield f"  note: {warning}"
    yield ""
    yield from answer_lines(verdict)
    yield ""
    yield from advice_lines(verdict)
    unreached = [f for f in verdict.findings if f.code == "unreached"]
    others = [f for f in verdict.findings if f.code != "unreached"]
    if verbose:
        yield ""
        for finding in [*others, *unreached]:
            yield f"  {finding.severity:<8}{finding.code}: {finding.sentence}"
    elif unreached:
        count = f"{len(unreached)} more distributions differ"
        if len(unreached) == 1:
            count = "1 more distribution differs"
        yield f"  {count}; the model uses none of them (--verbose)"


def answer_lines(verdict: Verdict) -> Iterator[str]:
    """Give the three answers, each with why it is what it is."""
    for (question, label), why in zip(_LABELS.items(), _reasons(verdict)):
        yield f"  {label:<14}{verdict.answer(question):<9}{why}".rstrip()


def _reasons(verdict: Verdict) -> Iterator[str]:
    """Give why each answer is what it is; a reason that stands above already is not repeated."""
    said: list[Finding] = []
    for question in _LABELS:
        deciding = verdict.deciding(question)
        if deciding:
            more = f" (+{len(deciding) - 1} more, --verbose)" if len(deciding) > 1 else ""
            yield "for the same reason" if deciding[0] in said else _brief(deciding[0]) + more
            said.append(deciding[0])
        elif question == "capsule" and verdict.capsule == "yes":
            yield _restored(verdict.manifest)
        else:
            yield ""


def _brief(finding: Finding) -> str:
    return f"{finding.message}, used by {finding.way}" if finding.way else finding.message


def _restored(manifest: Manifest) -> str:
    reasons = []
    for function in manifest.functions:
        node = manifest.nodes.get(function.node or "")
        layer = "/".join(function.where) or function.name
        if node is not None and node.decompiled:
            reasons.append(f"{layer} restored from decompiled source")
        elif node is not None and node.source is not None:
            reasons.append(f"{layer} restored from its source ({node.file}:{node.line})")
        elif node is not None and node.code is not None:
            reasons.append(f"{layer} restored from its bytecode (it has no source)")
    if len(reasons) > 1:
        return f"{reasons[0]} (+{len(reasons) - 1} more)"
    return "".join(reasons)


def advice_lines(verdict: Verdict) -> Iterator[str]:
    """Give what to type or to change."""
    path = os.fspath(verdict.artifact)
    changed = [f for f in verdict.findings if f.code in ("artifact-changed", "unbuilt")]
    if changed:
        yield f"  what to do     {changed[0].remedy}"
        return
    if verdict.capsule != "no":
        yield f'  in your code   capsule.load("{path}", safe_mode=False)'
    elif verdict.manifest.origin == "inferred":
        asked = [f for f in verdict.findings if f.severity == "fatal" and "capsule" in f.decides]
        for remedy in dict.fromkeys(finding.remedy for finding in asked if finding.remedy):
            yield f"  what to do     {remedy}"
        if {finding.code for finding in asked} & {"weights-only", "unread"}:
            return
    if verdict.manifest.artifact.format == "saved-model" and verdict.manifest.origin == "inferred":
        return  # its graph is all that there is
    if verdict.manifest.origin == "inferred":
        names = [f.subject for f in verdict.findings if f.code == "name-missing"]
        bound = "".join(f" --bind {name}=…" for name in dict.fromkeys(names))
        yield f"  as it was      capsule replay {path} --unsafe{bound}"
    elif verdict.same != "yes":
        yield f"  to be sure     capsule replay {path} --unsafe --check"


def verdict_brief(verdict: Verdict) -> str:
    """Return a verdict in one line."""
    answers = ", ".join(f"{label} {verdict.answer(q)}" for q, label in _LABELS.items())
    return f"{verdict.artifact.name}: {answers}"


def saved_line(saved: Saved) -> str:
    """Return one line for one save: captured, or why not."""
    if saved.manifest is None:
        why = saved.skipped or (str(saved.error) if saved.error else "it was not captured")
        return f"{saved.artifact}   not captured: {why}"
    manifest = saved.manifest
    functions = len(manifest.functions)
    probe = "no probe" if manifest.probe.skipped else "probe recorded"
    count = f"{functions} function{'' if functions == 1 else 's'}"
    return f"{saved.artifact}   captured: {saved_with(manifest)}; {count}, {probe}"


def consent_lines(replay: Replay) -> Iterator[str]:
    """Give what loading would run: functions, what they reach, and what needs building."""
    consent = replay.resolution.plan.consent
    yield "  loading it would run:" if consent.functions else "  it carries no function"
    yield from (f"  {line}" for line in consent.listing())
    if consent.foreign:
        yield f"  and classes that are not Keras' own: {', '.join(consent.foreign)}"
    if replay.needs_building:
        names = ", ".join(replay.needs_building)
        yield f"  building from source would run code of: {names} (no wheel here)"


def refusal(replay: Replay) -> ConsentError:
    """Return the one sentence for want of consent."""
    state = "is ready" if replay.environment is not None else "was not built"
    return ConsentError(
        f"the environment of {replay.resolution.path} {state}; nothing of the model was run:"
        " allow it with --unsafe, or --trust each digest",
        replay.resolution.plan.consent,
    )


def replay_lines(replay: Replay) -> Iterator[str]:
    """Give what was rebuilt."""
    environment, manifest = replay.environment, replay.resolution.manifest
    if environment is None:
        return
    how = "from the cache" if environment.cached else f"built in {replay.seconds:.1f} s"
    yield f"{replay.resolution.path.name}   {_origin(manifest)}"
    if manifest.origin == "inferred":
        yield from assumption_lines(manifest)
    python, pins = environment.recipe.python, environment.pins
    yield (
        f"  environment    Python {python.version}, {len(pins.requirements)} distributions"
        f" by {environment.recipe.installer.name}, {how}"
    )
    if not python.exact and manifest.origin != "inferred":
        wanted = manifest.python
        same = python.version.startswith(f"{wanted.minor}.")
        why = "same bytecode, another patch" if same else "its functions are restored from source"
        yield f"  python         {python.version} in place of {wanted.version}: {why}"
    if pins.left_out:
        names = ", ".join(pins.left_out)
        yield f"  left out       {names} (an editable install: what the model uses is captured)"
    for name, before in pins.relaxed.items():
        near = pins.versions[name]
        yield f"  moved          {name} {before} → {near}: can't be had, and no function uses it"
    for name, reason in environment.installation.yanked.items():
        yield f"  yanked         {name} {pins.versions[name]}, by its makers: {reason}"
    if environment.installation.from_source:
        names = ", ".join(environment.installation.from_source)
        yield f"  from source    {names} (no wheel here)"
    if pins.moved:
        names = ", ".join(pins.moved)
        yield f"  from the index {names} (at save: from a folder or an address)"


def probe_line(comparison: dict[str, object] | None, skipped: str | None) -> str:
    """Return what the probe says in one line."""
    if comparison is None:
        return f"  same outputs   unknown  no probe was recorded: {skipped}"
    if comparison["exactly"]:
        return "  same outputs   yes      exactly those recorded at save"
    gap = f"largest difference {comparison['max_abs']:.3g}"
    if comparison["agrees"]:
        return (
            f"  same outputs   yes      within rtol {comparison['rtol']:g}, atol"
            f" {comparison['atol']:g} of those recorded ({gap})"
        )
    again = "" if comparison.get("repeats", True) else "; two calls in a row differ: it is random"
    return f"  same outputs   no       {comparison['reason']} ({gap}){again}"


def listing(lines: Iterable[str]) -> str:
    """Return *lines* as one text, cleaned."""
    return "\n".join(escaped(line) for line in lines)
