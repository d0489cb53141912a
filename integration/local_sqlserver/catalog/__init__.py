"""Views of the catalog: sys and INFORMATION_SCHEMA."""

from __future__ import annotations

from .registry import VIEWS, table_function
from . import databases, dynamic, information, objects, principals, types  # noqa: F401, E402: they fill the registry
from ..tables import System


def system_view(schema: str, name: str, version: int) -> System | None:
    """The view of that name, with the columns that the version has."""
    found = VIEWS.get((schema.lower(), name.lower()))
    return found.at(version) if found is not None else None


__all__ = ["system_view", "table_function"]
