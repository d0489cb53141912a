"""Sessions and requests, apart from HTTP: who is logged in, what runs, what was already answered."""

from __future__ import annotations

import itertools
import logging
import re
import threading
import time
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from json import loads
from pathlib import Path
from typing import Any

from fakesnow.conn import FakeSnowflakeConnection
from fakesnow.transforms.transforms import SERVER_VERSION

from . import binds, commands, copy_into, names, query_context, results, rewrite, transactions, unfriendly
from .account import Account
from .engine import Answer
from .errors import SnowflakeError, translate
from .login import Users
from .session import Session, new_query_id
from .stages import Uploads
from .statement_log import StatementLog
from .templates import Templates
from .warehouses import Warehouses

log = logging.getLogger("local_snowflake")

# statementTypeId of a query, as drivers know it.
_SELECT = 0x1000
# Answers kept for a request that is sent again or asked for by its query id.
_REMEMBERED = 500
# Clients that never log out: a session nobody used for as long as a master token lives is closed.
_SESSION_IDLE = 4 * 3600.0


@dataclass
class Options:
    data: Path
    users: Path | None = None
    deny: Path | None = None
    statement_log: Path | None = None
    session_lifetime: float | None = None
    master_lifetime: float | None = None
    lock_wait: float = 10.0
    transaction_idle: float = 300.0
    forget_idle: bool = False
    presigned_lifetime: float = 3600.0
    async_after: float = 45.0
    memory_limit: str = "4GB"
    threads: int = 2
    warehouses: Path | None = None
    region: str = "LOCAL"
    no_hybrid_tables: bool = False
    account_parameter: list[str] = field(default_factory=list)
    edition: str = "enterprise"
    unknown_lock_codes: bool = False
    remember_rolled_back_copies: bool = False
    late_visibility: float | None = None
    no_recheck: bool = False
    translations: Path | None = None


class Server:
    def __init__(self, options: Options) -> None:
        self.options = options
        # Set on the account: what a session finds that sets nothing itself.
        self.account_parameters = {
            name.upper(): value for name, _, value in (text.partition("=") for text in options.account_parameter)
        }
        self.account = Account(
            options.data, memory_limit=options.memory_limit, threads=options.threads, lock_wait=options.lock_wait
        )
        transactions.recover(self.account, self.replay)
        self.users = Users(options.users)
        self.templates = Templates(options.translations)
        self.warehouses = Warehouses(options.warehouses, options.edition)
        self.uploads = Uploads(self.account, options.presigned_lifetime)
        self.statements = StatementLog(options.statement_log or options.data / "statements.jsonl")
        self.pool = ThreadPoolExecutor(max_workers=256, thread_name_prefix="statement")
        self.sessions: dict[str, Session] = {}
        # requestId → its future: a statement sent again is not run again, as in Snowflake.
        self.requests: OrderedDict[str, tuple[str, Session, Future]] = OrderedDict()
        self.by_query: OrderedDict[str, tuple[Session, Future]] = OrderedDict()
        self._stop = threading.Event()
        threading.Thread(target=self._reap, daemon=True, name="idle-transactions").start()

        self._on_hybrid_tables = itertools.count(1)

    def is_throttled(self) -> bool:
        """Counts a statement on hybrid tables; see unfriendly."""
        return next(self._on_hybrid_tables) % unfriendly.THROTTLED_EACH == 0

    def close(self) -> None:
        self._stop.set()
        for session in list(self.sessions.values()):
            session.cancel()
        self.pool.shutdown(wait=True, cancel_futures=True)
        for session in list(self.sessions.values()):
            session.close()
        self.account.close()

    def _reap(self) -> None:
        """Snowflake ends a transaction on hybrid tables that was idle for five minutes."""
        while not self._stop.wait(min(1.0, self.options.transaction_idle / 4)):
            for session in list(self.sessions.values()):
                if time.monotonic() - session.last_used > _SESSION_IDLE and session.running is None:
                    self.logout(session)
                transaction = session.transaction
                if not transaction or time.monotonic() - session.last_used < self.options.transaction_idle:
                    continue
                if session.lock.acquire(blocking=False):
                    try:
                        if session.transaction is transaction and not transaction.aborted:
                            log.info("session %s: idle transaction rolled back", session.id)
                            if self.options.forget_idle:
                                session.end_transaction()
                            else:
                                session.abort()
                    finally:
                        session.lock.release()

    # Sessions

    def login(self, query: dict[str, str], data: dict[str, Any]) -> dict[str, Any]:
        self.users.check(data)
        session = Session(self, data, data.get("SESSION_PARAMETERS") or {})
        if role := query.get("roleName"):
            session.role = names.read_name(role, 0)[0][0]
        warehouse = query.get("warehouse")
        session.warehouse = self.warehouses.at_login(names.read_name(warehouse, 0)[0][0] if warehouse else None)
        # A login with a database that does not exist succeeds in Snowflake, without a current database.
        try:
            if database := query.get("databaseName"):
                commands.use_database(session, names.read_name(database, 0)[0][0])
                if schema := query.get("schemaName"):
                    name = names.read_name(schema, 0)[0][0]
                    self.account.require_schema(names.decode(session.database), name)
                    session.schema = names.encode(name)
        except SnowflakeError as error:
            log.info("login: %s", error)
        self.sessions[session.token] = session
        lifetime = int(self.options.session_lifetime or 3600)
        return {
            "token": session.token,
            "masterToken": session.master_token,
            "validityInSeconds": lifetime,
            "masterValidityInSeconds": 14400,
            "displayUserName": session.user,
            "serverVersion": SERVER_VERSION,
            "firstLogin": False,
            "sessionId": int(session.id),
            "parameters": [
                {"name": "AUTOCOMMIT", "value": session.flag("AUTOCOMMIT", True)},
                {"name": "CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY", "value": 3600},
                {"name": "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD", "value": 0},
                {"name": "TIMEZONE", "value": session.parameter("TIMEZONE", "Etc/UTC")},
                {"name": query_context.SIZE, "value": session.query_context_size()},
            ],
            "sessionInfo": self._info(session),
        }

    @staticmethod
    def _info(session: Session) -> dict[str, Any]:
        return {
            "databaseName": session.database and names.decode(session.database),
            "schemaName": session.schema and names.decode(session.schema),
            "warehouseName": session.warehouse,
            "roleName": session.role,
        }

    def session(self, token: str) -> Session:
        session = self.sessions.get(token)
        if session is None:
            raise SnowflakeError("390104", "User must login again to access the service.", "08001")
        lifetime = self.options.session_lifetime
        if session.expired or (lifetime is not None and time.monotonic() - session.created > lifetime):
            raise SnowflakeError("390112", "Your session has expired. Please login again.", "08001")
        return session

    def renew(self, master_token: str) -> dict[str, Any]:
        for session in list(self.sessions.values()):
            if session.master_token == master_token:
                limit = self.options.master_lifetime
                if limit is not None and time.monotonic() - session.logged_in > limit:
                    break
                old, session.token = session.token, new_query_id()
                session.created, session.expired = time.monotonic(), False
                self.sessions[session.token] = session
                self.sessions.pop(old, None)
                lifetime = int(self.options.session_lifetime or 3600)
                return {"sessionToken": session.token, "masterToken": master_token, "validityInSecondsST": lifetime,
                        "validityInSecondsMT": 14400, "sessionId": int(session.id)}  # fmt: skip
        raise SnowflakeError("390114", "Authentication token has expired. The user must authenticate again.", "08001")

    def logout(self, session: Session) -> None:
        self.sessions.pop(session.token, None)
        self.pool.submit(session.close)

    def end_sessions(self, *, forget: bool) -> None:
        """No token of now is good any more. Open transactions stay until they have been idle for too long, as those of
        clients that never come back."""
        for token, session in list(self.sessions.items()):
            session.expired = True
            if forget:
                self.sessions[new_query_id()] = self.sessions.pop(token)

    # Statements

    def submit(self, session: Session, request_id: str, body: dict[str, Any], base_url: str) -> tuple[str, Future]:
        if request_id and (known := self.requests.get(request_id)) and known[1] is session:
            return known[0], known[2]
        query_id = new_query_id()
        future = self.pool.submit(self._run, session, query_id, body, base_url)
        if request_id:
            self.requests[request_id] = (query_id, session, future)
        self.by_query[query_id] = (session, future)
        for recent in (self.requests, self.by_query):
            while len(recent) > _REMEMBERED:
                recent.popitem(last=False)
        return query_id, future

    def abort(self, request_id: str) -> None:
        if known := self.requests.get(request_id):
            known[1].cancel()

    def _run(self, session: Session, query_id: str, body: dict[str, Any], base_url: str) -> dict[str, Any]:
        sql = str(body.get("sqlText") or "")
        bindings = body.get("bindings")
        # Parameters of this statement alone, as drivers send a query tag.
        own = body.get("parameters") or {}
        started = time.monotonic()
        code = "ok"
        try:
            session.query_context.check(body.get("queryContextDTO"))
            outcome = session.execute(sql, bindings, query_id, base_url)
            answer = self._success(session, query_id, outcome)
        except Exception as error:
            failure = translate(error)
            code = failure.code
            if failure.code == "000603":
                log.exception("statement failed in the stand-in: %s", type(error).__name__)
            answer = {
                "data": {
                    "internalError": False, "errorCode": failure.code, "age": 0, "sqlState": failure.sqlstate,
                    "queryId": query_id, "line": -1, "pos": -1, "type": "COMPILATION",
                },
                "code": failure.code, "message": failure.message, "success": False, "headers": None,
            }  # fmt: skip
        finally:
            self.statements.write(
                session=session.id, query=query_id, tag=own.get("QUERY_TAG", session.parameter("QUERY_TAG", "")), user=session.user,
                application=session.parameter("CLIENT_APPLICATION", session.application) or None,
                warehouse=session.warehouse, database=session.database and names.decode(session.database),
                binds=len(bindings or {}),
                result=code, ms=round((time.monotonic() - started) * 1000, 1), sql=sql,
            )  # fmt: skip
        # With refusals too: the drivers read it there.
        if size := session.query_context_size():
            answer["data"]["queryContext"] = session.query_context.give(session.database, size)
        return answer

    def _success(self, session: Session, query_id: str, outcome: Answer | dict[str, Any]) -> dict[str, Any]:
        if isinstance(outcome, dict):
            return {"data": {**outcome, "queryId": query_id}, "success": True, "code": None, "message": None}
        table = results.simplify(outcome.table, self.account.has_aliases)
        data = {
            "parameters": [
                {"name": "TIMEZONE", "value": session.parameter("TIMEZONE", "Etc/UTC")},
                {"name": query_context.SIZE, "value": session.query_context_size()},
            ],
            "rowtype": outcome.rowtype, "total": table.num_rows, "returned": table.num_rows, "queryId": query_id,
            "statementTypeId": outcome.type_id, "sqlState": "00000", "version": 1,
            **{f"final{k[0].upper()}{k[1:]}": v for k, v in self._info(session).items()},
        }  # fmt: skip
        is_query = outcome.type_id in (_SELECT, 0) and not outcome.is_dml
        if is_query and session.application.upper() in results.ARROW_DRIVERS and not self._wants_json(session):
            data |= {"queryResultFormat": "arrow", "rowsetBase64": results.to_arrow(table, outcome.rowtype)}
        else:
            data |= {"queryResultFormat": "json", "rowset": results.to_json(table, outcome.rowtype)}
        return {"data": data, "success": True, "code": None, "message": None}

    @staticmethod
    def _wants_json(session: Session) -> bool:
        keys = ("PYTHON_CONNECTOR_QUERY_RESULT_FORMAT", "GO_QUERY_RESULT_FORMAT", "JDBC_QUERY_RESULT_FORMAT")
        return any(str(session.parameters.get(key, "")).upper() == "JSON" for key in keys)

    def check_denied(self, text: str) -> None:
        """Statements that a test wants refused, as a role without the privilege would be."""
        if self.options.deny is None or not self.options.deny.exists():
            return
        for pattern in loads(self.options.deny.read_text()):
            if found := re.search(pattern, text, re.IGNORECASE | re.DOTALL):
                raise SnowflakeError(
                    "003001", f"SQL access control error:\nInsufficient privileges to operate on '{found[0][:80]}'.", "42501"
                )

    def replay(self, conn: FakeSnowflakeConnection, sql: str, bindings: Any, database: str | None, schema: str | None) -> None:
        """Run one statement of a half-committed transaction again, in that database's own transaction."""
        session = Session(self, {}, {})
        try:
            session.database, session.schema = database, schema
            text = rewrite.strip_comments(sql)
            session.bind_context(conn)
            if text[:4].upper() == "COPY":
                copy_into.run(session, conn, text)
            else:
                session._run_dml(conn, session.prepare(text), binds.rows(bindings))
        finally:
            session.conn._duck_conn.close()
