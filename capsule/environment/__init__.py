"""Environments, all read alike: the guest's collector gives the paths, the host reads them."""

from __future__ import annotations

from capsule.environment.distributions import installed_versions, read_distributions
from capsule.environment.here import environment_here
from capsule.environment.reading import Environment, live_environment

__all__ = [
    "Environment",
    "environment_here",
    "installed_versions",
    "live_environment",
    "read_distributions",
]
