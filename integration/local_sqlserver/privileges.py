"""Who may read and change what.

https://learn.microsoft.com/sql/relational-databases/security/permissions-database-engine
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .tables import Thing
from .values import SqlError

if TYPE_CHECKING:
    from .engine import Engine
    from .store import Store

_READ, _WRITE = {"SELECT"}, {"INSERT", "UPDATE", "DELETE"}
# What a permission of the server or database brings with it.
_COVERED = {
    "VIEW DATABASE PERFORMANCE STATE": {"VIEW DATABASE STATE", "CONTROL"},
    "VIEW DATABASE STATE": {"CONTROL"},
    "VIEW SERVER PERFORMANCE STATE": {"VIEW SERVER STATE"},
    "VIEW DEFINITION": {"CONTROL", "ALTER"},
}


class Privileges:
    """The privileges of a user in a database."""

    def __init__(self, engine: Engine, store: Store, user: str, login: str):
        self.engine, self.store, self.user, self.login = engine, store, user, login
        # Who reads what a view's owner reads: masks are theirs.
        self.reader = self

    @property
    def is_owner(self) -> bool:
        return self.user == "dbo" or bool(self.store.is_member(self.user, "db_owner"))

    def owner(self) -> Privileges:
        made = Privileges(self.engine, self.store, "dbo", self.login)
        made.reader = self.reader
        return made

    def _names(self) -> list[str]:
        return [self.user.lower(), *self.store.roles_of(self.user)]

    def _state(self, kind: str, id_: int, permission: str, column: str = "") -> str | None:
        """GRANT or DENY, which wins; None where nothing is said."""
        asked = {permission, *_COVERED.get(permission, ()), "CONTROL"}
        found = None
        for name in self._names():
            for one in asked:
                held = self.store.grants.get((name, kind, id_, column, one))
                if held == "DENY" and one == permission:
                    return "DENY"
                found = held or found
        return found

    def allows(self, permission: str, thing: Thing | None = None, column: str = "") -> bool:
        if self.is_owner:
            return True
        if thing is None:
            return self._on_database(permission)
        if thing.kind == "system" or thing.name.startswith("#"):
            return True
        if permission in _READ and self.store.is_member(self.user, "db_denydatareader"):
            return False
        states = [self._state("OBJECT", thing.id, permission), self._state("SCHEMA", thing.schema_id, permission), self._state("DATABASE", 0, permission)]  # fmt: skip
        if column:
            states.append(self._state("OBJECT", thing.id, permission, column.lower()))
        if "DENY" in states:
            # A column's own grant stands beside the table's denial.
            return bool(column) and states[3] == "GRANT" and states[0] == "DENY"
        if "GRANT" in states:
            return True
        role = "db_datareader" if permission in _READ else "db_datawriter" if permission in _WRITE else "db_ddladmin"
        return bool(self.store.is_member(self.user, role))

    def _on_database(self, permission: str) -> bool:
        state = self._state("DATABASE", 0, permission)
        if state == "DENY":
            return False
        if state == "GRANT" or self.is_owner:
            return True
        if permission in ("VIEW DATABASE STATE", "VIEW DATABASE PERFORMANCE STATE"):
            return self.on_server("VIEW SERVER STATE")
        return permission == "CONNECT" or (permission.startswith("CREATE") and bool(self.store.is_member(self.user, "db_ddladmin")))

    def on_server(self, permission: str) -> bool:
        if self.engine.is_sysadmin(self.login):
            return True
        asked = {permission, "CONTROL SERVER", *_COVERED.get(permission, ())}
        held = {self.engine.server_grants.get((self.login.lower(), one)) for one in asked}
        return "GRANT" in held and self.engine.server_grants.get((self.login.lower(), permission)) != "DENY"

    # What statements ask

    def check(self, permission: str, thing: Thing) -> None:
        if not self.allows(permission, thing):
            raise self.denied(permission, thing)

    def denied(self, permission: str, thing: Thing) -> SqlError:
        return SqlError(
            229,
            f"The {permission} permission was denied on the object '{thing.name}', database '{self.store.name}', schema"
            f" '{thing.schema}'.",
            14,
            5,
        )

    def check_select(self, thing: Thing) -> None:
        if not self.allows("SELECT", thing) and not self.readable_columns(thing):
            raise self.denied("SELECT", thing)

    def readable_columns(self, thing: Thing) -> set[str] | None:
        """The columns that may be read, in lower case; None: all."""
        if self.is_owner or thing.kind == "system":
            return None
        columns = [c.name.lower() for c in getattr(thing, "columns", [])]
        held = {c for c in columns if self.allows("SELECT", thing, c)}
        return None if len(held) == len(columns) else held

    def deny_column(self, table: str, column: str) -> None:
        raise SqlError(230, f"The SELECT permission was denied on the column '{column}' of the object '{table}', database '{self.store.name}', schema 'dbo'.", 14)  # fmt: skip

    def unmasks(self, thing: Thing) -> bool:
        reader = self.reader
        return reader.is_owner or reader._on_database("UNMASK") or reader._state("OBJECT", thing.id, "UNMASK") == "GRANT"

    def sees(self, thing: Thing) -> bool:
        """Metadata is shown of what somebody has any permission on."""
        if self.is_owner or thing.kind == "system" or self._on_database("VIEW DEFINITION"):
            return True
        if any(self.store.is_member(self.user, role) for role in ("db_datareader", "db_datawriter", "db_ddladmin")):
            return True
        names = set(self._names())
        return any(
            held == "GRANT" and name in names and ((kind == "OBJECT" and id_ == thing.id) or (kind == "SCHEMA" and id_ == thing.schema_id) or (kind == "DATABASE" and one != "CONNECT" and not one.startswith("VIEW DATABASE") and one != "UNMASK"))  # fmt: skip
            for (name, kind, id_, _, one), held in list(self.store.grants.items())
        )

    def has_by_name(self, session, securable, kind, permission, column) -> int | None:
        """HAS_PERMS_BY_NAME: 1, 0, or NULL where there is no such thing or permission."""
        permission, kind = permission.upper(), kind.upper() if kind else None
        if kind in (None, "SERVER"):
            return int(self.on_server(permission))
        if kind == "DATABASE":
            if securable is not None and securable.strip("[]").lower() != self.store.name.lower():
                return None if securable.strip("[]").lower() not in self.engine.databases else 0
            return int(self._on_database(permission))
        if kind == "SCHEMA":
            number = self.store.schema_id((securable or "").strip("[]"))
            return None if number is None else int(self.is_owner or self._state("SCHEMA", number, permission) == "GRANT")
        found = session.find_written(securable or "")
        if found is None:
            return None
        if permission == "UNMASK":
            return int(self.unmasks(found))
        if column is not None:
            name = column[1:-1].replace("]]", "]") if column.startswith("[") else column
            if not any(c.name.lower() == name.lower() for c in getattr(found, "columns", [])):
                return None
            return int(self.allows(permission, found, name))
        return int(self.allows(permission, found))
