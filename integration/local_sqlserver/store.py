"""A database: schemas, objects, types, users and privileges."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .tables import AliasType, Column, Policy, Table, Thing
from .values import Collation, SqlError

if TYPE_CHECKING:
    from .engine import Engine

_FIXED_ROLES = "db_owner db_accessadmin db_securityadmin db_ddladmin db_backupoperator db_datareader db_datawriter db_denydatareader db_denydatawriter".split()  # fmt: skip
# https://learn.microsoft.com/sql/relational-databases/system-catalog-views/sys-types-transact-sql
TYPE_IDS = {
    "image": 34, "text": 35, "uniqueidentifier": 36, "date": 40, "time": 41, "datetime2": 42, "datetimeoffset": 43, "tinyint": 48,
    "smallint": 52, "int": 56, "smalldatetime": 58, "real": 59, "money": 60, "datetime": 61, "float": 62, "sql_variant": 98,
    "ntext": 99, "bit": 104, "decimal": 106, "numeric": 108, "smallmoney": 122, "bigint": 127, "varbinary": 165, "varchar": 167,
    "binary": 173, "char": 175, "timestamp": 189, "nvarchar": 231, "nchar": 239, "xml": 241, "hierarchyid": 240, "geometry": 240,
    "geography": 240,
}  # fmt: skip
USER_TYPE_IDS = {**TYPE_IDS, "sysname": 256, "hierarchyid": 128, "geometry": 129, "geography": 130}


class Store:
    """A database and what is in it."""

    def __init__(self, engine: Engine, name: str, id_: int, collation: Collation):
        self.engine, self.name, self.id, self.collation = engine, name, id_, collation
        self.snapshot_allowed = engine.azure
        self.rcsi = engine.azure
        self.created = engine.clock()
        self.schemas: dict[str, tuple[int, str]] = {}
        for number, schema in ((1, "dbo"), (2, "guest"), (3, "INFORMATION_SCHEMA"), (4, "sys")):
            self.schemas[schema.lower()] = (number, schema)
        self.objects: dict[tuple[str, str], Thing] = {}
        self.types: dict[tuple[str, str], AliasType] = {}
        self.properties: dict[tuple[int, int, int, str], Any] = {}
        self.version = 0
        self._ids = itertools.count(885578193, 16)
        self._small_ids = itertools.count(5)
        self._type_ids = itertools.count(257)
        self.row_version = 2000
        # User → (id, login); role → members.
        self.users: dict[str, tuple[int, str | None, str]] = {"dbo": (1, "sa", "dbo"), "guest": (2, None, "guest")}
        self.roles: dict[str, set[str]] = {"public": set(), **{role: set() for role in _FIXED_ROLES}}
        self.role_ids = {"public": 0, **{role: 16384 + i for i, role in enumerate(_FIXED_ROLES)}}
        # (principal, class, id, column or "", permission) → GRANT or DENY.
        self.grants: dict[tuple[str, str, int, str, str], str] = {}
        self.made_keys: list[tuple[str, str]] = []

    def changed(self) -> None:
        self.version += 1

    def next_id(self) -> int:
        return next(self._ids)

    def next_small_id(self) -> int:
        return next(self._small_ids)

    def next_type_id(self) -> int:
        return next(self._type_ids)

    # Names

    def schema_id(self, name: str) -> int | None:
        found = self.schemas.get(name.lower())
        return found[0] if found else None

    def schema_name(self, id_: int) -> str | None:
        return next((name for number, name in self.schemas.values() if number == id_), None)

    def get(self, schema: str, name: str) -> Thing | None:
        return self.objects.get((schema.lower(), name.lower()))

    def by_id(self, id_: int) -> Thing | None:
        return next((o for o in self.objects.values() if o.id == id_), None)

    def add(self, thing: Thing) -> None:
        key = thing.schema.lower(), thing.name.lower()
        if key in self.objects:
            raise SqlError(2714, f"There is already an object named '{thing.name}' in the database.")
        self.objects[key] = thing
        self.changed()

    def remove(self, thing: Thing) -> None:
        self.objects.pop((thing.schema.lower(), thing.name.lower()), None)
        self.changed()

    def tables(self) -> list[Table]:
        return [o for o in list(self.objects.values()) if isinstance(o, Table)]

    def find_type(self, parts, default_schema: str) -> AliasType | None:
        schemas = [parts[-2]] if len(parts) > 1 else [default_schema, "dbo"]
        return next((self.types[k] for s in schemas if (k := (s.lower(), parts[-1].lower())) in self.types), None)

    def type_name(self, id_: int) -> str | None:
        alias = next((a for a in self.types.values() if a.id == id_), None)
        return alias.name if alias else next((name for name, number in USER_TYPE_IDS.items() if number == id_), None)

    def type_id(self, name: str) -> int | None:
        alias = self.find_type(tuple(name.split(".")), "dbo")
        return alias.id if alias else USER_TYPE_IDS.get(name.lower())

    def column_name(self, id_: int, column: int) -> str | None:
        found = self.by_id(id_)
        return next((c.name for c in getattr(found, "columns", []) if c.id == column), None)

    # Row versions

    def next_row_version(self) -> int:
        with self.engine.lock:
            self.row_version += 1
            return self.row_version

    def row_version_bytes(self) -> bytes:
        return self.row_version.to_bytes(8, "big")

    def lowest_active_row_version(self) -> bytes:
        with self.engine.lock:
            active = [
                tx.first_row_version[self.id] for tx in self.engine.transactions.values() if self.id in tx.first_row_version
            ]
            return min(active, default=self.row_version + 1).to_bytes(8, "big")

    # Security

    def predicates_of(self, table: Thing) -> list[tuple]:
        found = []
        for policy in self.objects.values():
            if isinstance(policy, Policy) and policy.enabled:
                found += [(f, a) for kind, f, a, target in policy.predicates if kind == "FILTER" and target is table]
        return found

    def is_member(self, user: str, role: str) -> int | None:
        members = self.roles.get(role.lower())
        if members is None:
            return None
        return int(role.lower() == "public" or user.lower() in members or (user == "dbo" and role.lower() == "db_owner"))

    def roles_of(self, user: str) -> set[str]:
        found, more = {"public"}, [user.lower()]
        while more:
            member = more.pop()
            for role, members in self.roles.items():
                if member in members and role not in found:
                    found.add(role)
                    more.append(role)
        return found

    @contextmanager
    def undone(self, transaction, undo):
        """What a definition did is taken back when its transaction is rolled back."""
        yield
        if transaction is not None:
            transaction.undo.append(undo)


def column_user_type(column: Column) -> str:
    return column.user_type or column.type.name
