"""The model's own environment: its Python found, its pins installed, a worker inside."""

from __future__ import annotations

from capsule.rebuild.remote import RemoteModel
from capsule.rebuild.replaying import Replayed, replay

__all__ = ["RemoteModel", "Replayed", "replay"]
