"""The model's own environment: resolve a description, build that, start the model in it."""

from __future__ import annotations

from capsule.rebuild.remote import RemoteModel
from capsule.rebuild.replaying import replay

__all__ = ["RemoteModel", "replay"]
