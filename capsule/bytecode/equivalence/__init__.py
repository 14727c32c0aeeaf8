"""Translation validation: whether a decompiled source computes what the bytecode computes.

Two independent interpreters execute the bytecode and the source symbolically; nothing of
either is run. Values are hash-consed terms that say how they came to be (``terms``). What
cannot be known, whether a term is true and how many items an iterable has (0 to 2), a random
assignment decides, by a seed and the term alone: both forms take the same path (``paths``).

Two executions are equal if they end alike (what they return, raise or yield, or which name is
unbound) and performed the same operations with the same operands in the same order: calls,
operators, attributes, items, imports, iteration, and stores to anything but local names. Their
arguments must be the same; their defaults are not compared, code has none.

- **Paths**: ``difference`` tries 12 seeds, fewer once they took 10,000 steps together. A branch
  that none of them enters is not compared: "equal" is strong evidence, not a proof. Any
  difference on a single path is one for certain, up to the identities that compilers use.
- **Loops** run as often as the assignment says. After 3,000 steps a loop counts as endless: both
  must be, and agree as far as they were executed.
- **Calls** give a new, unknown result each time; nothing is assumed of what is called, except
  that the truth of a global name may change with each call.
- **Exceptions**: ``raise`` and ``assert`` end a path. Whatever else may raise is assumed not to,
  so ``try`` and ``with`` are Unknown where an instruction shows them. From Python 3.11 on only a
  table does; the decompiler refuses such code before it comes here.
- **Functions inside** are executed on arguments of their own and compared as a whole.
- What is not modelled (classes, coroutines, ``yield from``, ``print`` statements, annotations)
  raises ``Unknown``; nothing is claimed then.

``instruction_difference`` compares two codes of the same Python on all ways at once: it needs
no assignment, but tells apart what compilers merely write otherwise.
"""

from __future__ import annotations

from capsule.bytecode.equivalence.compare import difference, makes_sense
from capsule.bytecode.equivalence.compare_instructions import instruction_difference
from capsule.bytecode.equivalence.terms import Unknown

__all__ = ["Unknown", "difference", "instruction_difference", "makes_sense"]
