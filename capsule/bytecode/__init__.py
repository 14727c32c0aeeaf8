"""Code of every Python from 2.7 to 3.14, read as data: nothing of it is unmarshalled or run.

The way from bytes to source, one module a step:

- `unmarshal.read_code`: bytes → RawCode, in the layouts that fit (`formats` lists them).
- `code.decode_code`: RawCode → Code by the opcodes of one Python (`opcodes`, `instructions`,
  `lines`). It is strict: what that Python can't have written raises. A live code object becomes
  Code through `code.adapt`, and `walk.names_used` tells which names a Code uses.
- `decompile.decompile_code`: Code → Decompilation, its source or the reason why there is none.
- `equivalence.difference`: Code and source are followed side by side, by other code than the
  decompiler's, to prove that both compute the same.

`python_versions.detect_python_versions` goes the whole way with every Python that may have
written the bytes; `repair` first undoes what Keras on Windows did to them.
This package imports nothing of capsule outside itself.
"""

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
