"""What a model file without a sidecar tells: read without running a byte of it.

`reading` runs in a child process and reads; `pythons` and `releases` narrow down who wrote
it; `fears` say what a careful reader would fear; `inferring` makes a manifest of it all.
"""

from __future__ import annotations

from capsule.inspection.inspecting import inspect
from capsule.inspection.model import FunctionRead, Inspection

__all__ = ["FunctionRead", "Inspection", "inspect"]
