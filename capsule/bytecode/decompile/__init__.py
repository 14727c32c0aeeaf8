"""Code back to source text: what can be told without a doubt, else where it stopped.

`machine` follows instructions in a row with expressions in place of values, `structure`
the ways between them, `functions` makes the text and looks it over.
"""

from __future__ import annotations

from capsule.bytecode.decompile.functions import Decompilation, decompile_code, parse_function
from capsule.bytecode.decompile.stack_machine import CLASSIC_DIVISION

__all__ = ["CLASSIC_DIVISION", "Decompilation", "decompile_code", "parse_function"]
