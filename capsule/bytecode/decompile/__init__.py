"""Code back to source text: what can be told without a doubt, else where it stopped.

Imports point one way. `values` and `stack_machine` are the state: a stack of expressions, and
the statements so far. `operators`, `stack_ops`, `collection_literals`, `calls` and `stores` hold
a table of handlers each, `dispatch` joins the tables and follows instructions in a row. `graph`
cuts code into blocks, `conditions` reads what a jump decides, `structure` follows the ways between
blocks, and `source` makes the text and checks it. Nested code is decompiled through the function
that `source` hands down, so that nothing below imports what is above it.
"""

from __future__ import annotations

from capsule.bytecode.decompile.source import Decompilation, decompile_code, parse_function
from capsule.bytecode.decompile.values import CLASSIC_DIVISION

__all__ = ["CLASSIC_DIVISION", "Decompilation", "decompile_code", "parse_function"]
