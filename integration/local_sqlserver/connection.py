"""One client: its login, its requests, its attentions.

One thread reads what comes, so that an attention is noticed while rows are sent; another answers.
"""

from __future__ import annotations

import queue
import struct
import threading
from typing import TYPE_CHECKING

from . import login as logins
from . import packets, tokens
from .faults import Cut
from .packets import Answer, Channel, Closed
from .parameters import Reader, parameter, skip_headers
from .values import DatabaseChanged, Done, Info, Parameter, Rows, SqlError
from .wire_types import collation_bytes, metadata, row_encoder

if TYPE_CHECKING:
    from .server import Server

# How often the sender looks for an attention.
_ROWS_AT_ONCE = 64
# With TLS more is refused (documentation: "Configure the network packet size").
_LARGEST_PACKET, _LARGEST_PACKET_OF_TLS = 32_767, 16_383
_PROCEDURES = {10: "sp_executesql", 11: "sp_prepare", 12: "sp_execute", 13: "sp_prepexec", 15: "sp_unprepare"}
_CURSORS = range(1, 10)
# What DONE says of its statement; a driver tells changed rows only of statements that change some.
_SELECT, _INSERT = 0xC1, 0xC3


class Connection:
    """A connection that has been accepted."""

    def __init__(self, server: Server, channel: Channel):
        self.server, self.channel = server, channel
        self.session = None
        self._requests: queue.SimpleQueue = queue.SimpleQueue()
        self._attention = threading.Event()
        # Of each handle: the declarations and the statement.
        self._prepared: dict[int, tuple[str | None, str]] = {}
        self._last_handle = 0

    def serve(self) -> None:
        """Until the client goes."""
        try:
            if self._log_in():
                reader = threading.Thread(target=self._read, daemon=True)
                reader.start()
                while (request := self._requests.get()) is not None:
                    self._answer(*request)
        except (Closed, OSError, EOFError, struct.error):
            # Gone, or no client of this protocol: there is nobody to tell.
            pass
        except Cut:
            self.channel.cut()
        finally:
            if self.session is not None:
                self.session.close()
            self.channel.close()

    # Login

    def _log_in(self) -> bool:
        channel, engine = self.channel, self.server.engine
        is_strict = channel.is_strict()
        if is_strict:
            channel.begin_tls(is_strict=True)
        kind, message = channel.read()
        if kind != packets.PRELOGIN:
            return False
        asked = logins.asked_encryption(message)
        answered = asked
        if is_strict or not self.server.offers_tls:
            answered = logins.NOT_SUPPORTED
        elif asked == logins.REQUIRED or (self.server.requires_tls and asked == logins.OFF):
            answered = logins.ON if asked == logins.OFF else asked
        channel.write(packets.ANSWER, logins.prelogin(engine.product, answered), is_last=True)
        if asked in (logins.ON, logins.REQUIRED) and answered == logins.NOT_SUPPORTED and not is_strict:
            return False
        if answered != logins.NOT_SUPPORTED:
            channel.begin_tls(is_strict=False)
        kind, message = channel.read()
        if kind != packets.LOGIN:
            return False
        asks = logins.login(message)
        if answered == logins.OFF:
            channel.end_tls()
        answer = Answer(channel)
        try:
            if asks.is_integrated:
                raise SqlError(18452, "Login failed. The login is from an untrusted domain and cannot be used with Integrated authentication.", 14)
            self.server.faults.at_login()
            self.session = session = engine.session(
                asks.user, asks.password, asks.database or None, asks.application,
                host=asks.host, encrypted=channel.is_encrypted, read_only=asks.is_read_only,
            )  # fmt: skip
        except SqlError as problem:
            answer.add(tokens.error(problem))
            if problem.number == 4060:
                answer.add(tokens.error(SqlError(18456, f"Login failed for user '{asks.user}'.", 14)))
            answer.add(tokens.done(tokens.ERROR))
            answer.end()
            return False
        channel.spid = session.spid % 65_536
        largest = _LARGEST_PACKET_OF_TLS if channel.is_encrypted else _LARGEST_PACKET
        size = min(max(asks.packet_size or 4096, 512), largest)
        answer.add(tokens.changed(1, session.database, "master"))
        answer.add(tokens.info(Info(5701, f"Changed database context to '{session.database}'.")))
        answer.add(tokens.changed_collation(collation_bytes(session.store.collation)))
        answer.add(tokens.changed(2, "us_english", ""))
        answer.add(tokens.info(Info(5703, "Changed language setting to us_english.")))
        answer.add(tokens.login_ack(engine.product))
        answer.add(tokens.changed(4, str(size), "4096"))
        answer.add(tokens.feature_acks(asks.features))
        answer.add(tokens.done(0))
        answer.end()
        channel.packet_size = size
        return True

    # Requests

    def _read(self) -> None:
        try:
            while True:
                kind, message = self.channel.read()
                if kind == packets.ATTENTION:
                    self._attention.set()
                    self.session.cancel()
                self._requests.put((kind, message))
        except (Closed, OSError):
            # Whatever runs for the client ends.
            self._attention.set()
            self.session.cancel()
            self._requests.put(None)

    def _answer(self, kind: int, message: bytes) -> None:
        answer = Answer(self.channel)
        if kind == packets.ATTENTION:
            self._attention.clear()
            answer.add(tokens.done(tokens.ATTENTION))
            answer.end()
            return
        try:
            reader = Reader(message)
            skip_headers(reader)
            if kind == packets.BATCH:
                self._batch(answer, reader.text((len(message) - reader.at) // 2), [])
            elif kind == packets.RPC:
                self._call(answer, reader)
            elif kind == packets.TRANSACTION:
                self._transaction(answer, reader)
            else:
                raise SqlError(4002, f"Messages of type {kind} are not known here.", 20)
        except SqlError as problem:
            answer.add(tokens.error(problem) + tokens.done(tokens.ERROR))
        # Also after an attention: what was sent may end within a row. Its own answer follows (MS-TDS 2.2.1.7).
        answer.end()

    def _batch(self, answer: Answer, text: str, parameters: list[Parameter], *, is_call: bool = False) -> bool:
        """Runs a batch, and sends what it gives; whether it ended without an error."""
        self.server.note(self.session, text)
        waiting, failed = None, False
        token = 0xFF if is_call else 0xFD
        before = self.session.transaction_id

        def flush(status: int) -> None:
            nonlocal waiting
            if waiting is not None:
                own, count, command = waiting
                answer.add(tokens.done(own | status, count, token=token, command=command))
                waiting = None

        try:
            self.server.faults.at_statement(text)
            results = self.session.execute(text, parameters)
        except SqlError as problem:
            answer.add(tokens.error(problem) + tokens.done(tokens.ERROR | (tokens.MORE if is_call else 0), token=token))
            return False
        while not self._attention.is_set():
            try:
                result = next(results)
            except StopIteration:
                break
            except SqlError as problem:
                flush(tokens.MORE)
                answer.add(tokens.error(problem))
                waiting, failed = (tokens.ERROR, None, _SELECT), True
                before = self._tell_transaction(answer, before, is_committed=False)
                continue
            flush(tokens.MORE)
            before = self._tell_transaction(answer, before, is_committed="ROLLBACK" not in text.upper())
            if isinstance(result, Rows):
                answer.add(metadata(result.columns))
                waiting = (*self._rows(answer, result, text), _SELECT)
                failed = failed or bool(waiting[0] & tokens.ERROR)
            elif isinstance(result, Done):
                waiting = (0, result.count, _INSERT)
            elif isinstance(result, Info):
                answer.add(tokens.info(result))
            elif isinstance(result, DatabaseChanged):
                answer.add(tokens.changed(1, result.database, ""))
        before = self._tell_transaction(answer, before, is_committed="ROLLBACK" not in text.upper())
        if waiting is None:
            waiting = (0, None, _SELECT)
        flush(tokens.MORE if is_call else 0)
        return not failed

    def _rows(self, answer: Answer, result: Rows, text: str) -> tuple[int, int | None]:
        encode, count, some = row_encoder(result.columns), 0, []
        try:
            for row in self.server.faults.in_rows(result.rows, text):
                some.append(encode(row))
                count += 1
                if len(some) >= _ROWS_AT_ONCE:
                    answer.add(b"".join(some))
                    some.clear()
                    if self._attention.is_set():
                        return 0, count
        except SqlError as problem:
            answer.add(b"".join(some) + tokens.error(problem))
            return tokens.ERROR, None
        except Cut:
            # In the middle of a row.
            answer.add((b"".join(some) + b"\xd1\x04")[:-3])
            raise
        answer.add(b"".join(some))
        return 0, count

    def _tell_transaction(self, answer: Answer, before: int, *, is_committed: bool) -> int:
        now = self.session.transaction_id
        if now != before:
            answer.add(tokens.changed_transaction(before, now, is_committed=is_committed))
        return now

    # Remote calls

    def _call(self, answer: Answer, reader: Reader) -> None:
        length = reader.number("H")
        number = reader.number("H") if length == 0xFFFF else 0
        name = _PROCEDURES.get(number, str(number)) if length == 0xFFFF else reader.text(length)
        reader.number("H")
        given = []
        while not reader.is_at_end:
            given.append(parameter(reader))
        bare = name.lower().replace("[", "").replace("]", "").removeprefix("sys.")
        status = 0
        if bare == "sp_executesql":
            status = self._execute(answer, given[0].value, given[2:])
        elif bare in ("sp_prepexec", "sp_prepare"):
            # A handle that comes along is given up.
            self._prepared.pop(given[0].value, None)
            self._last_handle += 1
            handle = self._last_handle
            self._prepared[handle] = (given[1].value, given[2].value)
            if bare == "sp_prepexec":
                status = self._execute(answer, given[2].value, given[3:], declared=given[1].value)
            answer.add(_returned(given[0].name, handle))
        elif bare == "sp_execute":
            handle = given[0].value
            if handle not in self._prepared:
                raise SqlError(8179, f"Could not find prepared statement with handle {handle}.")
            declared, statement = self._prepared[handle]
            status = self._execute(answer, statement, given[1:], declared)
        elif bare == "sp_unprepare":
            self._prepared.pop(given[0].value, None)
        elif bare == "sp_describe_first_result_set":
            raise SqlError(2812, "The stand-in describes results when they come.")
        elif number in _CURSORS or bare.startswith("sp_cursor"):
            raise SqlError(16937, "A server cursor cannot be opened on the given statement or statements.")
        else:
            raise SqlError(2812, f"Could not find stored procedure '{name}'.")
        answer.add(tokens.return_status(status))
        answer.add(tokens.done(tokens.ERROR if status else 0, token=0xFE))

    def _execute(self, answer: Answer, text: str, given: list[Parameter], declared: str | None = None) -> int:
        names = [part.split()[0] for part in (declared or "").split(",") if part.strip().startswith("@")]
        for place, one in enumerate(given):
            if not one.name and place < len(names):
                one.name = names[place]
        return 0 if self._batch(answer, text, given, is_call=True) else 1

    # The transaction manager

    def _transaction(self, answer: Answer, reader: Reader) -> None:
        request = reader.number("H")
        session, before = self.session, self.session.transaction_id
        levels = {1: "READ UNCOMMITTED", 2: "READ COMMITTED", 3: "REPEATABLE READ", 4: "SERIALIZABLE", 5: "SNAPSHOT"}
        if request == 5:
            session.begin(levels.get(reader.number("B")))
        elif request in (7, 8):
            reader.text(reader.number("B"))
            begins_anew = bool(reader.number("B") & 1)
            if request == 7:
                session.commit()
            else:
                session.rollback()
            self._tell_transaction(answer, before, is_committed=request == 7)
            before = session.transaction_id
            if begins_anew:
                session.begin(levels.get(reader.number("B")))
        else:
            raise SqlError(8009, f"Request {request} of the transaction manager is not known here.")
        self._tell_transaction(answer, before, is_committed=True)
        answer.add(tokens.done(0))


def _returned(name: str, value: int) -> bytes:
    """RETURNVALUE of an int."""
    head = struct.pack("<BH", 0xAC, 0) + tokens.short_text(name) + struct.pack("<BIH", 1, 0, 0)
    return head + bytes([0x26, 4, 4]) + struct.pack("<i", value)
