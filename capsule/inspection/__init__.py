"""What a model file without a sidecar tells: read without running a byte of it.

``functions`` runs in a child process and reads; ``python_detection`` narrows down which Python
wrote it; ``risks`` grades what looks dangerous in it.
"""

from __future__ import annotations

from capsule.inspection.inspecting import inspect
from capsule.inspection.model import FunctionRead, Inspection

__all__ = ["FunctionRead", "Inspection", "inspect"]
