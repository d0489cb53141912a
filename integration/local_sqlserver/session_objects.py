"""How a session finds objects by their names."""

from __future__ import annotations

from typing import Any

from .tables import Thing
from .values import SqlError


class SessionObjects:
    """Names of one to three parts; others' databases as far as the product allows it."""

    engine: Any
    store: Any
    default_schema: str
    temporary: dict
    privileges: Any

    def find(self, parts: tuple[str, ...], kinds: tuple[str, ...] = ("table", "view", "synonym", "system")) -> Thing:
        """The object of a name; error 208 where there is none that this user may see."""
        found = self._find(parts)
        if found is None or found.kind not in kinds:
            raise SqlError(208, f"Invalid object name '{'.'.join(parts)}'.")
        return found

    def _find(self, parts: tuple[str, ...]) -> Thing | None:
        from .catalog import system_view

        name, schema = parts[-1], parts[-2] if len(parts) > 1 else ""
        store = self.store
        if len(parts) > 3 and parts[0]:
            raise SqlError(7202, f"Could not find server '{parts[0]}' in sys.servers. Verify that the correct server name was specified.", 11, 2)  # fmt: skip
        if name.startswith("#"):
            return self.temporary.get(name.lower())
        if len(parts) > 2 and parts[-3] and parts[-3].lower() != store.name.lower():
            if self.engine.azure:
                raise SqlError(40515, f"Reference to database and/or server name in '{'.'.join(parts)}' is not supported in this version of SQL Server.", 15)  # fmt: skip
            store = self.engine.databases.get(parts[-3].lower())
            if store is None:
                return None
        if schema.lower() in ("sys", "information_schema"):
            return system_view(schema, name, self.engine.version)
        if schema:
            return store.get(schema, name)
        return store.get(self.default_schema, name) or store.get("dbo", name)

    def find_written(self, text: str) -> Thing | None:
        """The object of a name in a text, with brackets or without: what OBJECT_ID looks for."""
        from .values import SqlError as Refused
        from .parse_expressions import Expressions

        try:
            cursor = Expressions(text)
            parts = cursor.parts()
            found = self._find(parts) if cursor.token.kind == "end" else None
        except Refused:
            return None
        return found if found is not None and self.privileges.sees(found) else None

    def visible_object(self, id_: int) -> Thing | None:
        found = self.store.by_id(id_)
        return found if found is not None and self.privileges.sees(found) else None

    def identity_of(self, name: str) -> int | None:
        found = self.find_written(name)
        column = next((c for c in getattr(found, "columns", []) if c.identity), None)
        if column is None:
            return None
        return column.last_identity if column.last_identity is not None else column.identity[0]
