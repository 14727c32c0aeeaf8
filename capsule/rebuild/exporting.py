"""A model's environment in other tools' words: pip's, Docker's, conda's, CycloneDX."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from capsule import __version__
from capsule.errors import InputError, escaped
from capsule.manifest.files import SUFFIX
from capsule.rebuild.installers import Uv
from capsule.rebuild.resolve import Resolution


def export_text(resolution: Resolution, form: str) -> str:
    """Return the environment of a model as a text of that form.

    Raises InputError for a form that there is not.
    """
    require_form(form)
    return FORMS[form](resolution)


def require_form(form: str) -> None:
    """Raise InputError for a form that there is not."""
    if form not in FORMS:
        raise InputError(f"--to takes one of {', '.join(FORMS)}, not {form!r}")


def write(text: str, path: Path) -> None:
    """Write an export. Raises InputError where that can't be done."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} can't be written: {error.strerror}") from None


def _requirements(resolution: Resolution) -> str:
    # The name stands on the third line: pip looks for an encoding in the first two.
    return (
        f"# The environment of a Keras model, for Python {resolution.python.version}.\n"
        "# Install it with --no-deps. The model is:\n"
        f"# {escaped(resolution.path.name)}\n{resolution.pins.as_text()}"
    )


def _pylock(resolution: Resolution) -> str:
    return Uv(resolution.options.sources).lock(resolution.pins, resolution.python)


def _dockerfile(resolution: Resolution) -> str:
    name = resolution.path.name
    pins = " \\\n    ".join(shlex.quote(line) for line in resolution.pins.requirements)
    both = json.dumps([_escape_for_copy(name), _escape_for_copy(name + SUFFIX), "/model/"])
    verify = json.dumps(
        [
            "/opt/capsule/bin/capsule",
            "verify",
            f"/model/{name}",
            "--python",
            "/usr/local/bin/python",
        ]
    )
    # The name does not come first: "# syntax=…" is no comment but a directive.
    return f"""# The model {escaped(name)} in the environment that saved it;
# build it beside the model and its sidecar.
FROM python:{resolution.python.version}-slim
RUN python -m pip install --no-cache-dir --no-deps \\
    {pins}
COPY {both}
# capsule has an environment of its own: what it needs must not move what the model needs.
RUN python -m venv /opt/capsule && /opt/capsule/bin/pip install --no-cache-dir keras-capsule
RUN {verify}
"""


def _escape_for_copy(name: str) -> str:
    """Return a file name as COPY takes it: a word with quotes and variables, then a pattern."""
    pattern = re.sub(r"([\\*?\[])", r"\\\1", name)
    return re.sub(r"([\\'\"$])", r"\\\1", pattern)


def _conda(resolution: Resolution) -> str:
    # Quoted, as JSON is: a name from a file must not become another key.
    name = json.dumps(escaped(resolution.path.stem), ensure_ascii=False)
    pins = "".join(f"      - {json.dumps(line)}\n" for line in resolution.pins.requirements)
    python = resolution.python.version
    return f"name: {name}\ndependencies:\n  - python={python}\n  - pip\n  - pip:\n{pins}"


def _cyclonedx(resolution: Resolution) -> str:
    identity = resolution.description.identity
    components = [
        {
            "type": "library",
            "name": name,
            "version": version,
            "bom-ref": f"{name}@{version}",
            "purl": f"pkg:pypi/{name}@{quote(version, safe='')}",
        }
        for name, version in resolution.pins.versions.items()
    ]
    model = {
        "type": "machine-learning-model",
        "name": resolution.path.name,
        "bom-ref": "model",
        "hashes": [{"alg": "SHA-256", "content": identity.sha256}],
    }
    tool = {"type": "application", "name": "capsule", "version": __version__}
    version = resolution.python.version
    python = {
        "type": "platform",
        "name": "cpython",
        "version": version,
        "bom-ref": "python",
        "purl": f"pkg:generic/python@{version}",
    }
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"tools": {"components": [tool]}, "component": model},
        "components": [python, *components],
        "dependencies": [
            {"ref": "model", "dependsOn": ["python", *(part["bom-ref"] for part in components)]}
        ],
    }
    return json.dumps(bom, indent=1) + "\n"


FORMS: dict[str, Callable[[Resolution], str]] = {
    "requirements": _requirements,
    "pylock": _pylock,
    "dockerfile": _dockerfile,
    "conda": _conda,
    "cyclonedx": _cyclonedx,
}
