"""The server: databases, logins, sessions, the order of commits. Everything is in memory.

What is known to differ from SQL Server:

- Locks are on whole tables. Writers of different rows of one table wait for each other; definitions lock only what they change.
- Collations weigh characters by Unicode's decompositions, not by Microsoft's tables, and SQL_ collations compare varchar as
  Windows collations do.
- Statements are compiled one by one: a wrong name in the second statement of a batch shows after the first has run.
- Which errors end a batch is known for those that are named in `batches`; all others end their statement.
- Plans, statistics, hints of access paths and query options change nothing; sizes are estimates from the rows.
- geometry and geography have the real bytes of points only, hierarchyid those of plain numbers up to 5,199 a level.
- Procedures, functions and types of .NET are not run; of functions there are inline table-valued ones.
- Not there: MERGE, PIVOT, FULL JOIN, table variables, cursors, triggers, recursive common table expressions, xml methods, JSON,
  GROUPING SETS, frames of windows, sequences, partitioned tables.
"""

from __future__ import annotations

import itertools
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING

from . import moments
from .collations import rules
from .sessions import Session
from .store import Store
from .values import DEFAULT_COLLATION, Collation, SqlError

if TYPE_CHECKING:
    from .context import Context
    from .tables import Table
    from .transactions import Transaction

_PRODUCTS = {
    2008: (10, "10.50.6560.0"), 2012: (11, "11.0.7507.2"), 2014: (12, "12.0.6449.1"), 2016: (13, "13.0.7050.2"),
    2017: (14, "14.0.3485.1"), 2019: (15, "15.0.4430.1"), 2022: (16, "16.0.4185.3"),
}  # fmt: skip
_SERVER_ROLES = "sysadmin serveradmin securityadmin processadmin setupadmin bulkadmin diskadmin dbcreator public".split()
# Long expressions are deep trees, and parsing one level takes several calls.
sys.setrecursionlimit(max(sys.getrecursionlimit(), 20_000))
_UNIX = moments.days_of(1970, 1, 1) * moments.DAY


class Engine:
    """One server. `version`: the year of its product; `azure`: whether it is Azure SQL Database."""

    def __init__(self, version: int = 2022, azure: bool = False, collation: str = DEFAULT_COLLATION.name):
        self.version, self.azure, self.name = version, azure, "local"
        self.major, self.product = _PRODUCTS[version]
        if azure:
            self.major, self.product = 12, "12.0.2000.8"
        self.lock = threading.Condition(threading.RLock())
        self.commits = 0
        self.transactions: dict[int, Transaction] = {}
        self.locked: dict[Table, set[Transaction]] = {}
        self.contexts: weakref.WeakSet[Context] = weakref.WeakSet()
        self.sessions: dict[int, Session] = {}
        self._transaction_ids, self._spids = itertools.count(1001), itertools.count(51)
        self.started = self.clock()
        self.databases: dict[str, Store] = {}
        self._database_ids = itertools.count(1)
        self.collation = Collation(rules(collation, version).name)
        for name in ("master", "tempdb", "model", "msdb"):
            self.create_database(name, self.collation)
        # Login → (password, default database, server roles, enabled, id).
        self.logins: dict[str, dict] = {}
        self._principal_ids = itertools.count(1)
        self.server_grants: dict[tuple[str, str], str] = {}
        self.create_login("sa", "", roles={"sysadmin"})

    @property
    def banner(self) -> str:
        if self.azure:
            return f"Microsoft SQL Azure (RTM) - {self.product} \n\tStand-in of snowhaul's tests"
        return f"Microsoft SQL Server {self.version} (RTM) - {self.product} (X64) \n\tStand-in of snowhaul's tests"

    @staticmethod
    def clock() -> int:
        """Now in UTC, in units of 100 ns since 0001-01-01."""
        return _UNIX + time.time_ns() // 100

    def properties(self) -> dict[str, object]:
        return {
            "productversion": self.product, "productmajorversion": str(self.major), "productlevel": "RTM", "edition":
            "SQL Azure" if self.azure else "Developer Edition (64-bit)", "engineedition": 5 if self.azure else 3,
            "servername": self.name, "machinename": self.name, "instancename": None, "collation": self.collation.name,
            "isclustered": 0, "ishadrenabled": 0, "isintegratedsecurityonly": 0, "isxtpsupported": 1, "lcid": 1033,
            "sqlcharset": 1, "isfulltextinstalled": 0, "resourceversion": self.product, "editionid": 1674378470 if self.azure else 0,
        }  # fmt: skip

    # Databases, logins

    def create_database(self, name: str, collation: Collation) -> Store:
        if name.lower() in self.databases:
            raise SqlError(1801, f"Database '{name}' already exists. Choose a different database name.")
        made = Store(self, name, next(self._database_ids), collation)
        self.databases[name.lower()] = made
        return made

    def database_id(self, name: str) -> int | None:
        store = self.databases.get(name.lower())
        return store.id if store else None

    def database_name(self, id_: int) -> str | None:
        return next((s.name for s in self.databases.values() if s.id == id_), None)

    def create_login(self, name: str, password: str, database: str = "master", roles: set[str] | None = None) -> None:
        if name.lower() in self.logins:
            raise SqlError(15025, f"The server principal '{name}' already exists.")
        self.logins[name.lower()] = {
            "name": name, "password": password, "database": database, "roles": roles or set(), "enabled": True,
            "id": next(self._principal_ids) if name == "sa" else 256 + next(self._principal_ids),
        }  # fmt: skip

    def is_sysadmin(self, login: str) -> bool:
        return "sysadmin" in self.logins.get(login.lower(), {}).get("roles", ())

    def is_server_role_member(self, login: str, role: str) -> int | None:
        if role.lower() not in _SERVER_ROLES:
            return None
        return int(role.lower() == "public" or role.lower() in self.logins.get(login.lower(), {}).get("roles", ()))

    def session(
        self,
        login: str,
        password: str,
        database: str | None,
        application: str,
        *,
        host: str = "",
        encrypted: bool = False,
        read_only: bool = False,
    ) -> Session:
        """Logs in: 18456 where login and password do not fit, 4060 where the database is closed to the login."""
        known = self.logins.get(login.lower())
        if known is None or known["password"] != password or not known["enabled"]:
            raise SqlError(18456, f"Login failed for user '{login}'.", 14, 1)
        name = database or known["database"]
        store = self.databases.get(name.lower())
        if store is None or self.user_of(known["name"], store) is None:
            raise SqlError(4060, f'Cannot open database "{name}" requested by the login. The login failed.', 11, 1)
        with self.lock:
            made = Session(self, next(self._spids), known["name"], store, application, host, encrypted, read_only)
            self.sessions[made.spid] = made
        return made

    def user_of(self, login: str, store: Store) -> str | None:
        """The user that a login is in a database."""
        if self.is_sysadmin(login):
            return "dbo"
        for user, (_, own, name) in store.users.items():
            if own is not None and own.lower() == login.lower() and user != "guest":
                return name
        return "guest" if store.name in ("master", "tempdb", "msdb") else None

    # Transactions

    def begin(self, transaction: Transaction) -> int:
        with self.lock:
            number = next(self._transaction_ids)
            self.transactions[number] = transaction
            return number

    def prune(self, table: Table) -> None:
        """Drops versions that no snapshot shows any more."""
        snapshots = [tx.snapshot for tx in self.transactions.values() if tx.snapshot is not None]
        oldest = min([*snapshots, *(context.commits for context in self.contexts)], default=self.commits)
        while len(table.versions) > 1 and table.versions[1][0] <= oldest:
            del table.versions[0]


__all__ = ["Engine", "Session"]
