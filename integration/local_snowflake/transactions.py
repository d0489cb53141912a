"""Transactions over several databases.

DuckDB writes one database per transaction, while Snowflake commits hybrid and standard tables of different
databases together. So a transaction has one participant, a DuckDB connection of its own, per database it
writes, begun at the first write there: what it reads before stays READ COMMITTED. They commit together:

1. what each participant did is written to a journal file and each writes a mark into its own database;
2. they commit one after the other, the one that joined first last (the checkpoint, in this project);
3. a server that dies between two commits finds the journal at its next start and runs the statements of
   those databases whose mark is missing, before it answers anyone.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    from fakesnow.conn import FakeSnowflakeConnection

    from .account import Account

log = logging.getLogger("local_snowflake")

Replay = Callable[["FakeSnowflakeConnection", str, Any, str | None, str | None], None]


@dataclass
class Participant:
    conn: FakeSnowflakeConnection
    # (sql, bindings, current database, current schema) of every write that succeeded
    done: list[tuple[str, Any, str | None, str | None]] = field(default_factory=list)


@dataclass
class Transaction:
    account: Account
    id: int = field(default_factory=time.time_ns)
    participants: dict[str, Participant] = field(default_factory=dict)
    aborted: bool = False
    last_used: float = field(default_factory=time.monotonic)

    def join(self, database: str, snapshot: FakeSnowflakeConnection | None = None) -> Participant:
        """`snapshot` is a connection that has begun its transaction."""
        if not (participant := self.participants.get(database)):
            conn = snapshot or self.account.connection()
            if snapshot is None:
                conn._duck_conn.begin()
            participant = self.participants[database] = Participant(conn)
        return participant

    def leave(self, database: str) -> None:
        """Forget a participant whose first statement failed: it has done nothing."""
        _close(self.participants.pop(database).conn)

    def rollback(self) -> None:
        for participant in self.participants.values():
            _close(participant.conn)
        self.participants.clear()

    def commit(self, replay: Replay) -> None:
        if len(self.participants) <= 1:
            try:
                for participant in self.participants.values():
                    participant.conn._duck_conn.commit()
            finally:
                self.rollback()
            return
        with self.account.commit_lock:
            self._commit_all(replay)

    def _commit_all(self, replay: Replay) -> None:
        order = list(reversed(self.participants))
        journal = self.account.data / "journal" / f"{self.id}.json"
        try:
            for database in order:
                mark = f"INSERT INTO {database}._fs_information_schema._transaction_marks VALUES ({self.id})"
                self.participants[database].conn._duck_conn.execute(mark)
            _write_durably(journal, {d: self.participants[d].done for d in order})
            self.participants[order[0]].conn._duck_conn.commit()
        except BaseException:
            self.rollback()
            journal.unlink(missing_ok=True)
            raise
        for database in order[1:]:
            try:
                self.participants[database].conn._duck_conn.commit()
            except duckdb.Error as error:
                log.warning("commit in %s failed (%s); its statements are run again", database, error)
                try:
                    _redo(self.account, self.id, database, self.participants[database].done, replay)
                except BaseException:
                    # Half a transaction must never be seen: the next start finishes it or says why not.
                    log.exception("transaction %s is half done; the server ends", self.id)
                    os._exit(70)
        self.rollback()
        journal.unlink(missing_ok=True)


def _close(conn: FakeSnowflakeConnection) -> None:
    with contextlib.suppress(duckdb.Error):
        conn._duck_conn.rollback()
    conn._duck_conn.close()


def _write_durably(path: Path, content: dict[str, Any]) -> None:
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _redo(account: Account, number: int, database: str, done: list, replay: Replay) -> None:
    conn = account.connection()
    try:
        conn._duck_conn.begin()
        for sql, bindings, current_database, current_schema in done:
            replay(conn, sql, bindings, current_database, current_schema)
        conn._duck_conn.execute(f"INSERT INTO {database}._fs_information_schema._transaction_marks VALUES ({number})")
        conn._duck_conn.commit()
    finally:
        _close(conn)


def recover(account: Account, replay: Replay) -> None:
    """Finish the transactions that a dying server left half committed, and forget old marks."""
    for journal in sorted((account.data / "journal").glob("*.json")):
        number, content = int(journal.stem), json.loads(journal.read_text())
        missing = [d for d in content if not _is_marked(account, d, number)]
        if missing and len(missing) < len(content):
            for database in missing:
                log.warning("finishing transaction %s in %s", number, database)
                _redo(account, number, database, content[database], replay)
        journal.unlink()
    for file in account.databases.glob("*.db"):
        account.duck_conn.execute(f"DELETE FROM {file.stem}._fs_information_schema._transaction_marks")


def _is_marked(account: Account, database: str, number: int) -> bool:
    sql = f"SELECT 1 FROM {database}._fs_information_schema._transaction_marks WHERE id = {number}"
    return account.duck_conn.execute(sql).fetchone() is not None
