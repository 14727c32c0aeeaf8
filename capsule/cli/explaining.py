"""``capsule explain``: what a finding code means, why it happens, and what to do."""

import json
from typing import Annotated, Optional

import typer

from capsule.cli.ending import ending
from capsule.cli.options import AsJson
from capsule.errors import escaped


@ending
def explain(
    code: Annotated[
        Optional[str], typer.Argument(metavar="[CODE]", help="A finding code; none lists them all.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Explain a finding code, as verify and inspect print it.

    Exit status: 0 it was explained, 2 there is no such code.
    """
    from capsule.report.findings import code_json, code_lines, listing_lines
    from capsule.verdict.codes import REGISTRY, code_named

    codes = list(REGISTRY.values()) if code is None else [code_named(code)]
    if as_json:
        results = [code_json(entry) for entry in codes]
        print(json.dumps({"capsule": "1.0", "command": "explain", "results": results}, indent=1))
        return
    for line in listing_lines(codes) if code is None else code_lines(codes[0]):
        print(escaped(line))
