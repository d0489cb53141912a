"""A session: its context and parameters, and the way a statement takes."""

from __future__ import annotations

import random
import re
import secrets
import threading
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import duckdb
from fakesnow.conn import FakeSnowflakeConnection
from fakesnow.statement_type import statement_type_id
from sqlglot import Expr, exp

from . import (
    binds, catalog, collations, commands, copy_into, ddl, definitions, exact_times, procedures, rewrite, stages, unfriendly,
)  # fmt: skip
from .engine import PLANNED, Answer, Cursor, from_rows, single, strip_target
from .errors import SnowflakeError, not_emulated
from .query_context import DEFAULT_SIZE, SIZE, QueryContext
from .transactions import Transaction
from .writing import Writing

if TYPE_CHECKING:
    from .server import Server
    from .templates import Defined, Known

_DML = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.TruncateTable)
_DDL = (exp.Create, exp.Drop, exp.Alter, exp.Comment)


class Session(Writing):
    def __init__(self, server: Server, login: dict[str, Any], parameters: dict[str, Any]) -> None:
        self.server, self.account = server, server.account
        self.id = str(random.getrandbits(52))
        self.token, self.master_token = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self.user = str(login.get("LOGIN_NAME") or "USER").upper()
        self.account_name = str(login.get("ACCOUNT_NAME") or "LOCAL").upper()
        self.application = str(login.get("CLIENT_APP_ID") or "")
        self.parameters = {key.upper(): value for key, value in parameters.items()}
        self.role = "SYSADMIN"
        self.warehouse: str | None = None
        self.database: str | None = None  # aliases, see names
        self.schema: str | None = None
        self.conn = self.account.connection()
        self.lock = threading.Lock()
        self.transaction: Transaction | None = None
        self.created = self.logged_in = self.last_used = time.monotonic()
        self.expired = False
        self.running: duckdb.DuckDBPyConnection | None = None
        self.cancelled = False
        # Inside a procedure that runs with its owner's rights.
        self.owner_rights = False
        self.last_query: str | None = None
        late = server.options.late_visibility
        self.late = unfriendly.LateView(self.account, late) if late else None
        self.query_context = QueryContext()

    def close(self) -> None:
        """A session that ends loses its open transaction."""
        if self.running is not None:
            self.cancel()
        with self.lock:
            self.end_transaction()
            if self.late:
                self.late.forget()
            self.conn._duck_conn.close()

    def cancel(self) -> None:
        self.cancelled = True
        if running := self.running:
            running.interrupt()

    def end_transaction(self) -> None:
        if self.transaction:
            self.transaction.rollback()
            self.transaction = None
            if self.late:
                self.late.forget()

    def parameter(self, name: str, default: Any) -> Any:
        return self.parameters.get(name, self.server.account_parameters.get(name, default))

    def flag(self, name: str, default: bool) -> bool:
        return str(self.parameter(name, default)).upper() == "TRUE"

    def query_context_size(self) -> int:
        """0 denies the session a query context."""
        return int(self.parameter(SIZE, DEFAULT_SIZE))

    # One statement

    def execute(self, sql: str, bindings: dict[str, Any] | None, query_id: str, base_url: str) -> Answer | dict[str, Any]:
        with self.lock:
            self.cancelled = False
            self.last_used = time.monotonic()
            try:
                return self._execute(sql, bindings, query_id, base_url)
            finally:
                if self.late and not self.transaction:
                    if re.match(r"CREATE|DROP|ALTER|COMMENT|TRUNCATE", sql.lstrip(), re.IGNORECASE):
                        # What it did itself a session sees.
                        self.late.forget()
                    self.late.remember()
                self.running = None
                self.last_query = query_id
                self.last_used = time.monotonic()

    def _execute(self, sql: str, bindings: dict[str, Any] | None, query_id: str, base_url: str) -> Answer | dict[str, Any]:
        text = rewrite.strip_comments(sql)
        if not text:
            raise SnowflakeError("000900", "SQL compilation error:\nEmpty SQL statement.", "42601")
        if not self.owner_rights:
            self.server.check_denied(text)
        word = re.match(r"\w+", text)
        first = word[0].upper() if word else ""
        if answer := commands.transaction(self, first, text):
            return answer
        if self.transaction and self.transaction.aborted:
            raise SnowflakeError(
                "000628", "The current transaction was aborted by an error; only ROLLBACK or COMMIT ends it.", "25000"
            )
        try:
            if first == "PUT":
                return stages.put(self, text, base_url)
            if first == "GET":
                return stages.get(self, text, base_url)
            if first in ("LIST", "LS"):
                return stages.list_files(self, text)
            if first in ("REMOVE", "RM"):
                return stages.remove(self, text)
            if answer := commands.command(self, first, text) or procedures.command(self, first, text, query_id):
                return answer
            if first == "EXPLAIN":
                return self._explain(text)
            if first == "COPY":
                copy = copy_into.parse(self, text)
                return self._write(copy.table, lambda conn: copy_into.run(self, conn, text), (sql, bindings), query_id, False)
            return self._parsed(sql, text, bindings, query_id)
        except Exception:
            if self.transaction and self.flag("TRANSACTION_ABORT_ON_ERROR", False):
                self.abort()
            raise

    def _parsed(self, sql: str, text: str, bindings: dict[str, Any] | None, query_id: str) -> Answer:
        is_update = self.server.options.no_recheck and text[:6].upper() == "UPDATE"
        inlined = None if is_update else binds.inlined(text, bindings)
        if inlined and (known := self.server.templates.find(self, inlined)):
            return self._known(known, (sql, bindings), query_id)
        if not bindings and (defined := self.server.templates.define(self, text)):
            return self._define(defined, text, query_id)
        expression = self.prepare(text)
        type_id = statement_type_id(expression)
        many = binds.rows(bindings)
        if isinstance(expression, _DML):
            answer = self._write(
                rewrite.target(expression), lambda conn: self._run_dml(conn, expression, many), (sql, bindings), query_id,
                not isinstance(expression, exp.Insert), (expression, many[0]) if isinstance(expression, exp.Update) else None,
            )  # fmt: skip
        elif isinstance(expression, _DDL):
            # DDL commits what is open, as in Snowflake.
            self.commit()
            with self.account.catalog.changing(*self._databases(expression)):
                answer = self._retry(lambda: self._run_ddl(expression.copy(), many[0], text), ("", "", "object"), query_id)
        elif place := self._described(expression):
            answer = self._read(list, lambda _: catalog.describe(self, *place))
        else:
            # SHOW and DESCRIBE are about no rows.
            tables = rewrite.tables(expression) if isinstance(expression, exp.Query) else []
            # What nobody has read may be anything.
            changed = (None,) if isinstance(expression, exp.Command) else ()
            with self.account.catalog.changing(*changed):
                answer = self._read(lambda: tables, lambda conn: Cursor(conn).run(expression, many[0]))
        answer.type_id = answer.type_id or type_id
        return answer

    def _known(self, known: Known, sent: tuple[str, dict[str, Any] | None], query_id: str) -> Answer:
        def run(conn: FakeSnowflakeConnection) -> Answer:
            return known.plan.run(conn._duck_conn)

        if written := known.plan.written:
            answer = self._write(known.target(), run, sent, query_id, written != "inserted")
        else:
            answer = self._read(known.tables, run)
        answer.type_id = answer.type_id or known.template.type_id
        return answer

    def _define(self, defined: Defined, text: str, query_id: str) -> Answer:
        self.commit()
        if self.server.options.no_hybrid_tables and rewrite.is_hybrid(text):
            raise _no_hybrid_tables()

        def work() -> Answer:
            self._use(self.conn)
            return definitions.create_defined(self, defined.definition)

        with self.account.catalog.changing(defined.definition.place[0]):
            answer = self._retry(work, ("", "", "object"), query_id)
        answer.type_id = answer.type_id or defined.type_id
        return answer

    def _databases(self, definition: Expr) -> set[str]:
        """Those whose tables or views a DDL statement may change."""
        tables = [definition.find(exp.Table)] if isinstance(definition, exp.Create) else definition.find_all(exp.Table)
        columns = definition.find_all(exp.Column)
        named = {*(t.catalog for t in tables if t is not None), *(column.catalog for column in columns)}
        return {name or self.database or "" for name in named}

    def _described(self, expression: Expr) -> tuple[str, str, str] | None:
        kind = expression.args.get("kind")
        if not isinstance(expression, exp.Describe) or not isinstance(kind, str) or kind.upper() not in ("TABLE", "VIEW"):
            return None
        if (table := expression.find(exp.Table)) is None:
            return None
        self.bind_context(self.conn)
        Cursor(self.conn).check_db_and_schema(expression)
        place = definitions.place_of(self.conn, table)
        return None if "INFORMATION_SCHEMA" in place[1].upper() else place

    def _explain(self, text: str) -> Answer:
        """Compiles a statement and runs nothing; the plan itself is left out."""
        statement = re.sub(r"EXPLAIN\s+(USING\s+\w+\s+)?", "", text, count=1, flags=re.IGNORECASE)
        expression = self.prepare(statement)
        if not isinstance(expression, PLANNED):
            raise not_emulated(f"EXPLAIN of {statement.split(maxsplit=1)[0].upper()}")
        self._use(self.conn)
        plan = Cursor(self.conn).plan(expression)
        self.conn._duck_conn.execute(f"EXPLAIN {plan.sql}").fetchall()
        kinds = ("step", "id", "parentOperators", "operation", "objects", "alias", "expressions", "partitionsTotal",
                 "partitionsAssigned", "bytesAssigned")  # fmt: skip
        return from_rows([(kind, "VARCHAR") for kind in kinds], [(None, None, None, "GlobalStats", *[None] * 6)])

    def prepare(self, text: str, now: str | None = None) -> Expr:
        expression = rewrite.parse(text)
        rewrite.encode_names(expression, self.account.has_aliases)
        rewrite.hashes(expression)
        rewrite.text_formats(expression)
        exact_times.bare_literals(expression)
        collations.in_expressions(expression)
        expression = rewrite.context_functions(expression, commands.context(self, isinstance(expression, exp.Create), now))
        if isinstance(expression, exp.Update):
            strip_target(expression.expressions)
        return expression

    # Running

    def bind_context(self, conn: FakeSnowflakeConnection, database: str | None = None, schema: str | None = None) -> None:
        database, schema = database or self.database, schema or self.schema
        conn.database, conn._schema = database, schema
        conn.database_set, conn.schema_set = database is not None, schema is not None
        if schema == "INFORMATION_SCHEMA":
            conn._schema = "_FS_INFORMATION_SCHEMA"
        wanted = f"{database}.{conn._schema or 'main'}" if database else "memory.main"
        if getattr(conn, "local_path", None) != wanted:
            # Another session may have dropped it; names in full still mean something. To try would end DuckDB's transaction.
            if (database, schema) in self.account.dropped_schemas:
                conn._schema, conn.schema_set = None, False
                wanted = "memory.main"
            conn._duck_conn.execute(f"SET schema = '{wanted}'")
            conn.local_path = wanted

    def _use(self, conn: FakeSnowflakeConnection) -> None:
        self.bind_context(conn)
        self.running = conn._duck_conn
        conn.check_cancelled = self._check_cancelled
        self._check_cancelled()

    def _check_cancelled(self) -> None:
        if self.cancelled:
            raise SnowflakeError("000604", "SQL execution canceled", "57014")

    def _read(
        self, tables: Callable[[], list[exp.Table]], run: Callable[[FakeSnowflakeConnection], Answer]
    ) -> Answer:
        late = self._read_unfriendly(tables()) if self.late or self.server.options.unknown_lock_codes else None
        conn = late or self.conn
        if self.transaction:
            # What this transaction wrote is seen only through its own connection.
            for table in tables():
                if participant := self.transaction.participants.get(table.catalog or self.database or ""):
                    conn = participant.conn
                    break
        self._use(conn)
        try:
            return run(conn)
        except Exception as error:
            if conn is late and self.late:
                # It may have ended the snapshot.
                self.late.forget()
            elif conn is not self.conn and isinstance(error, duckdb.Error):
                self._check_alive(conn)
            raise

    def _read_unfriendly(self, tables: list[exp.Table]) -> FakeSnowflakeConnection | None:
        """The connection of a late view, where the query is about standard tables alone."""
        keys = [self._key(table) for table in tables]
        if any(self.account.is_hybrid(key) for key in keys):
            self._throttle()
            return None
        if not self.late or not keys or any("INFORMATION_SCHEMA" in key[1].upper() for key in keys):
            return None
        return self.late.look({key[0] for key in keys})

    def _throttle(self) -> None:
        if self.server.options.unknown_lock_codes and self.server.is_throttled():
            raise unfriendly.throttled()

    def _key(self, table: exp.Table) -> tuple[str, str, str]:
        shown = table.name if table.this.quoted else table.name.upper()
        return table.catalog or self.database or "", table.db or self.schema or "", shown

    def _check_alive(self, conn: FakeSnowflakeConnection) -> None:
        """DuckDB ends a transaction at most errors; so does this session then, whatever its parameters say."""
        try:
            conn._duck_conn.execute("SELECT 1")
        except duckdb.TransactionException:
            self.abort()

    def abort(self) -> None:
        if self.transaction:
            self.transaction.rollback()
            self.transaction.aborted = True

    def _run_dml(self, conn: FakeSnowflakeConnection, expression: Expr, many: list[list | None]) -> Answer:
        total = 0
        for params in many:
            answer = Cursor(conn).run(expression.copy(), params)
            if len(many) > 1:
                total += int(answer.table.column(0)[0].as_py())
        if isinstance(expression, exp.TruncateTable):
            table = rewrite.target(expression)
            name = table.name if table.this.quoted else table.name.upper()
            definitions.forget_loads(conn, table.catalog or self.database, table.db or self.schema, name)
            return single("status", commands.DONE)
        if len(many) > 1:
            answer.table = answer.table.set_column(0, answer.table.column_names[0], [[total]])
        return answer

    def _run_ddl(self, expression: Expr, params: list | None, text: str) -> Answer:
        self._use(self.conn)
        kind = str(expression.args.get("kind") or "").upper()
        if self.server.options.no_hybrid_tables and rewrite.is_hybrid(text):
            raise _no_hybrid_tables()
        if isinstance(expression, exp.Create) and kind == "TABLE" and not isinstance(expression.expression, exp.Expr):
            return ddl.create_table(self, expression, params, text, hybrid=rewrite.is_hybrid(text))
        if isinstance(expression, exp.Create) and kind == "VIEW":
            return definitions.create_view(self, expression, params)
        if isinstance(expression, exp.Create) and kind == "SEQUENCE" and expression.args.get("replace"):
            return ddl.replace_sequence(self, expression, params)
        if isinstance(expression, exp.Alter):
            return ddl.alter_table(self, expression, params)
        answer = Cursor(self.conn).run(expression, params)
        if isinstance(expression, exp.Drop) and kind == "TABLE":
            table = expression.find(exp.Table)
            name = table.name if table.this.quoted else table.name.upper()
            definitions.forget_loads(self.conn, table.catalog or self.database, table.db or self.schema, name)
        return answer


def _no_hybrid_tables() -> SnowflakeError:
    return SnowflakeError("391411", "Unsupported feature 'HYBRID TABLE' in this account.", "0A000")


def new_query_id() -> str:
    return str(uuid.uuid4())
