"""Code objects as data: one Code type, one walker, whoever compiled them."""

from __future__ import annotations

from capsule.bytecode.code import Code, Instruction, adapt
from capsule.bytecode.decompile import Lifted, lift
from capsule.bytecode.walk import Import, Uses, names_used

__all__ = ["Code", "Import", "Instruction", "Lifted", "Uses", "adapt", "lift", "names_used"]
