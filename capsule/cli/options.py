"""The options that several commands share, each with its help once."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import typer

from capsule.errors import InputError

# Annotations are evaluated here, on Python 3.9 as well, since typer reads them: so
# Optional[…], not `… | None`, and no postponed evaluation.

Model = Annotated[Path, typer.Argument(metavar="ARTIFACT", help="The model file.")]
Models = Annotated[list[Path], typer.Argument(metavar="ARTIFACT...", help="Model files.")]
Sidecar = Annotated[
    Optional[Path], typer.Option("--sidecar", help="A sidecar that is not beside its model file.")
]
Interpreter = Annotated[
    Optional[Path], typer.Option("--python", help="The Python to look at in place of this one.")
]
AsJson = Annotated[bool, typer.Option("--json", help="The same as --format json.")]
Format = Annotated[str, typer.Option("--format", help="text or json.")]
Unsafe = Annotated[
    bool, typer.Option("--unsafe", help="Without a sidecar: allow builds while it is resolved.")
]
IndexUrl = Annotated[Optional[str], typer.Option("--index-url", help="An index of your own.")]
FindLinks = Annotated[
    Optional[list[str]], typer.Option("--find-links", help="A folder or page of wheels.")
]


def format_of(form: str, as_json: bool) -> Literal["text", "json"]:
    """Return the format that was asked for. Raises InputError for one that there is not."""
    if as_json or form == "json":
        return "json"
    if form == "text":
        return "text"
    raise InputError(f"--format takes text or json, not {form!r}")


def binding(word: str) -> tuple[str, Any]:
    """Return a ``--bind NAME=JSON`` as name and value. Raises InputError for another form."""
    name, equals, text = word.partition("=")
    try:
        if equals and name.isidentifier():
            return name, json.loads(text)
    except ValueError:
        pass
    raise InputError(f"--bind takes NAME=JSON, such as im_size=64, not {word!r}")
