"""Comparison of an environment with a manifest: findings, and what they add up to."""

from __future__ import annotations

from capsule.verdict.finding import QUESTIONS, Finding
from capsule.verdict.judge import Verdict, judge, verify

__all__ = ["QUESTIONS", "Finding", "Verdict", "judge", "verify"]
