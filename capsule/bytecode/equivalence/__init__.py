"""Translation validation: does a decompiled source compute what the bytecode computes?"""

from __future__ import annotations

from capsule.bytecode.equivalence.compare import difference, makes_sense
from capsule.bytecode.equivalence.compare_instructions import instruction_difference
from capsule.bytecode.equivalence.terms import Unknown

__all__ = ["Unknown", "difference", "instruction_difference", "makes_sense"]
