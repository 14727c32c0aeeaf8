"""Two forms of a function, instructions and source, followed step by step and compared.

Neither is run: values are terms that say how they came to be, and whether a test holds is
decided by chance, for both forms alike. What differs in a result, or in the order in which
anything was computed, shows.
"""

from __future__ import annotations

from capsule.bytecode.equivalence.comparing import difference, makes_sense
from capsule.bytecode.equivalence.same_steps import same_steps
from capsule.bytecode.equivalence.terms import Unknown

__all__ = ["Unknown", "difference", "makes_sense", "same_steps"]
