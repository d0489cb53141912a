"""Scalar functions of T-SQL, by name."""

from __future__ import annotations

from .registry import REGISTRY
from . import binaries, dates, mathematics, nulls, system, texts  # noqa: F401, E402: they fill the registry

__all__ = ["REGISTRY"]
