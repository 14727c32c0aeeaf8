"""``capsule explain``: what a finding code means, why it happens, and what to do."""

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
    from capsule.report.envelope import envelope
    from capsule.report.findings import code_json, code_lines, listing_lines
    from capsule.verdict.codes import REGISTRY, code_named

    codes = list(REGISTRY.values()) if code is None else [code_named(code)]
    if as_json:
        print(envelope("explain", [code_json(entry) for entry in codes]))
        return
    for line in listing_lines(codes) if code is None else code_lines(codes[0]):
        print(escaped(line))
