"""Code objects as data: one Code type, one walker, whoever compiled them."""

from __future__ import annotations

from capsule.bytecode.code import Code, Instruction, adapt
from capsule.bytecode.decompile import Decompilation, decompile_code
from capsule.bytecode.walk import Import, Uses, names_used

__all__ = [
    "Code",
    "Decompilation",
    "Import",
    "Instruction",
    "Uses",
    "adapt",
    "decompile_code",
    "names_used",
]
