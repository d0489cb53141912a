"""Transactions: https://learn.microsoft.com/sql/t-sql/statements/set-transaction-isolation-level-transact-sql"""

from __future__ import annotations

import time

import pytest

from .engine_client import InThread, error_of, new_engine, new_session, results, rows, value


@pytest.fixture
def engine():
    made = new_engine()
    rows(new_session(made), "CREATE TABLE t (id int PRIMARY KEY, v int, rv rowversion); INSERT t (id, v) VALUES (1, 10), (2, 20)")
    return made


def waits(engine, number: int = 1) -> None:
    """Until so many transactions wait for a lock."""
    for _ in range(2000):
        if sum(tx.waits_for is not None for tx in list(engine.transactions.values())) >= number:
            return
        time.sleep(0.005)
    raise AssertionError("nobody waits")


def test_rollback_takes_everything_back(engine):
    session = new_session(engine)
    batch = "BEGIN TRAN; INSERT t (id, v) VALUES (3, 30); UPDATE t SET v = 0; CREATE TABLE u (a int); ROLLBACK; SELECT id, v FROM t"
    assert results(session, batch) == [[(1, 10), (2, 20)]]
    assert error_of(session, "SELECT * FROM u") == 208


def test_save_points_and_levels(engine):
    session = new_session(engine)
    batch = """BEGIN TRAN; BEGIN TRAN; UPDATE t SET v = 11 WHERE id = 1; SAVE TRAN here; DELETE t; SELECT @@TRANCOUNT;
        ROLLBACK TRAN here; COMMIT; SELECT @@TRANCOUNT; COMMIT; SELECT id, v FROM t; SELECT XACT_STATE()"""
    assert results(session, batch) == [[(2,)], [(1,)], [(1, 11), (2, 20)], [(0,)]]
    assert error_of(session, "COMMIT") == 3902
    assert error_of(session, "ROLLBACK") == 3903


def test_a_failed_statement_leaves_the_transaction_and_xact_abort_does_not(engine):
    session = new_session(engine)
    failing = "BEGIN TRAN; INSERT t (id, v) VALUES (3, 1); INSERT t (id, v) VALUES (4, 1), (1, 1); SELECT @@TRANCOUNT, COUNT(*) FROM t"
    assert results(session, failing) == [2627, [(1, 3)]]
    session.rollback()
    assert results(session, "SET XACT_ABORT ON; " + failing) == [2627]
    assert results(session, "SELECT @@TRANCOUNT, COUNT(*) FROM t") == [[(0, 2)]]


def test_readers_wait_for_writers_unless_rows_have_versions(engine):
    writer, reader = new_session(engine), new_session(engine)
    rows(writer, "BEGIN TRAN; UPDATE t SET v = 99 WHERE id = 1")
    assert error_of(reader, "SET LOCK_TIMEOUT 20; SELECT * FROM t") == 1222
    assert rows(reader, "SELECT v FROM t WITH (NOLOCK) WHERE id = 1") == [(99,)]
    rows(reader, "SET LOCK_TIMEOUT -1")
    waiting = InThread(reader, "SELECT v FROM t WHERE id = 1")
    waits(engine)
    writer.commit()
    assert waiting.end() == [[(99,)]]
    rows(writer, "ALTER DATABASE app SET READ_COMMITTED_SNAPSHOT ON; BEGIN TRAN; UPDATE t SET v = 5 WHERE id = 1")
    assert rows(reader, "SELECT v FROM t WHERE id = 1") == [(99,)]
    assert error_of(reader, "SET LOCK_TIMEOUT 20; SELECT v FROM t WITH (READCOMMITTEDLOCK) WHERE id = 1") == 1222


def test_a_snapshot_begins_with_the_first_read(engine):
    session, other = new_session(engine), new_session(engine)
    assert error_of(session, "SET TRANSACTION ISOLATION LEVEL SNAPSHOT; BEGIN TRAN; SELECT * FROM t") == 3952
    assert value(session, "@@TRANCOUNT") == 0
    rows(other, "ALTER DATABASE app SET ALLOW_SNAPSHOT_ISOLATION ON")
    session.begin("SNAPSHOT")
    rows(other, "UPDATE t SET v = 1")
    assert rows(session, "SELECT v FROM t") == [(1,), (1,)]
    rows(other, "UPDATE t SET v = 2; INSERT t (id, v) VALUES (3, 2)")
    assert rows(session, "SELECT v FROM t") == [(1,), (1,)]
    session.commit()
    assert rows(session, "SELECT v FROM t") == [(2,), (2,), (2,)]


def test_a_snapshot_refuses_to_change_what_others_changed(engine):
    session, other = new_session(engine), new_session(engine)
    rows(other, "ALTER DATABASE app SET ALLOW_SNAPSHOT_ISOLATION ON")
    session.begin("SNAPSHOT")
    assert len(rows(session, "SELECT * FROM t")) == 2
    rows(other, "UPDATE t SET v = 7 WHERE id = 1")
    assert results(session, "UPDATE t SET v = 8 WHERE id = 2; SELECT v FROM t") == [[(10,), (8,)]]
    assert error_of(session, "UPDATE t SET v = 8 WHERE id = 1") == 3960
    assert value(session, "@@TRANCOUNT") == 0
    assert rows(session, "SELECT v FROM t") == [(7,), (20,)]


def test_a_transaction_does_not_become_a_snapshot(engine):
    session = new_session(engine)
    rows(session, "ALTER DATABASE app SET ALLOW_SNAPSHOT_ISOLATION ON")
    assert error_of(session, "BEGIN TRAN; SET TRANSACTION ISOLATION LEVEL SNAPSHOT; SELECT * FROM t") == 3951


def test_of_two_that_wait_for_each_other_one_is_the_victim(engine):
    one, two = new_session(engine), new_session(engine)
    rows(one, "CREATE TABLE u (id int); INSERT u VALUES (1)")
    rows(one, "BEGIN TRAN; UPDATE t SET v = 1")
    rows(two, "SET DEADLOCK_PRIORITY LOW; BEGIN TRAN; UPDATE u SET id = 2")
    waiting = InThread(two, "UPDATE t SET v = 2")
    waits(engine)
    assert results(one, "UPDATE u SET id = 3; SELECT id FROM u") == [[(3,)]]
    assert waiting.end() == [1205]
    assert value(two, "@@TRANCOUNT") == 0
    one.commit()


def test_two_writers_wait_for_each_other(engine):
    one, two = new_session(engine), new_session(engine)
    rows(one, "BEGIN TRAN; UPDATE t SET v = v + 1 WHERE id = 1")
    waiting = InThread(two, "UPDATE t SET v = v + 1 WHERE id = 1")
    waits(engine)
    one.commit()
    waiting.end()
    assert rows(one, "SELECT v FROM t WHERE id = 1") == [(12,)]


def test_the_lowest_active_row_version_waits_for_open_transactions(engine):
    """https://learn.microsoft.com/sql/t-sql/functions/min-active-rowversion-transact-sql"""
    one, two = new_session(engine), new_session(engine)
    before = value(one, "CAST(MIN_ACTIVE_ROWVERSION() AS bigint)")
    assert before == value(one, "CAST(@@DBTS AS bigint)") + 1
    rows(one, "BEGIN TRAN; INSERT t (id, v) VALUES (3, 3)")
    rows(two, "CREATE TABLE u (rv rowversion, a int); INSERT u (a) VALUES (1)")
    assert value(two, "CAST(MIN_ACTIVE_ROWVERSION() AS bigint)") == before
    one.commit()
    assert value(two, "CAST(MIN_ACTIVE_ROWVERSION() AS bigint)") == value(two, "CAST(@@DBTS AS bigint)") + 1


def test_running_transactions_are_listed_and_ids_are_told(engine):
    session, other = new_session(engine), new_session(engine)
    other.begin(None)
    rows(other, "UPDATE t SET v = 1")
    asked = """SELECT s.session_id, s.transaction_id FROM sys.dm_tran_database_transactions d
        JOIN sys.dm_tran_session_transactions s ON s.transaction_id = d.transaction_id
        WHERE d.database_id = DB_ID() AND s.is_user_transaction = 1"""
    assert rows(session, asked) == [(other.spid, other.transaction_id)]
    other.rollback()
    assert rows(session, asked) == []
    assert other.transaction_id == 0


def test_cancelling_ends_a_statement_without_an_error(engine):
    session, other = new_session(engine), new_session(engine)
    rows(other, "BEGIN TRAN; UPDATE t SET v = 1")
    waiting = InThread(session, "SELECT 1; SELECT * FROM t; SELECT 2")
    waits(engine)
    session.cancel()
    # A read that never began has no rows; what follows it is not run.
    assert waiting.end() in ([[(1,)], []], [[(1,)]])
    other.rollback()
    assert rows(session, "SELECT COUNT(*) FROM t") == [(2,)]


def test_memory_optimised_tables_refuse_two_levels(engine):
    """https://learn.microsoft.com/sql/relational-databases/in-memory-oltp/transactions-with-memory-optimized-tables"""
    session = new_session(engine)
    rows(session, "ALTER DATABASE app SET ALLOW_SNAPSHOT_ISOLATION ON; CREATE TABLE m (id int PRIMARY KEY NONCLUSTERED) WITH (MEMORY_OPTIMIZED = ON); INSERT m VALUES (1)")  # fmt: skip
    assert error_of(session, "BEGIN TRAN; SELECT * FROM m") == 41368
    session.transactions.abandon()
    assert rows(session, "BEGIN TRAN; SELECT * FROM m WITH (SNAPSHOT); COMMIT") == [(1,)]
    assert error_of(session, "SET TRANSACTION ISOLATION LEVEL SNAPSHOT; SELECT * FROM m") == 41332


def test_a_killed_session_is_gone(engine):
    one, two = new_session(engine), new_session(engine)
    rows(one, "BEGIN TRAN; UPDATE t SET v = 1")
    rows(two, f"KILL {one.spid}")
    with pytest.raises(Exception, match="kill state"):
        rows(one, "SELECT 1")
    assert rows(two, "SET LOCK_TIMEOUT 20; SELECT v FROM t") == [(10,), (20,)]


def test_many_sessions_at_once_lose_and_double_nothing(engine):
    setup = new_session(engine)
    rows(setup, "ALTER DATABASE app SET ALLOW_SNAPSHOT_ISOLATION ON; CREATE TABLE c (id int IDENTITY PRIMARY KEY, who int, rv rowversion); CREATE TABLE s (total int); INSERT s VALUES (0)")  # fmt: skip
    batch = """DECLARE @i int = 0; WHILE @i < 30 BEGIN BEGIN TRAN; INSERT c (who) VALUES ({}); UPDATE s SET total = total + 1;
        IF @i % 5 = 4 ROLLBACK ELSE COMMIT; SET @i += 1 END"""
    reading = "SET TRANSACTION ISOLATION LEVEL SNAPSHOT; DECLARE @i int = 0, @bad int = 0; WHILE @i < 60 BEGIN BEGIN TRAN; IF (SELECT COUNT(*) FROM c) <> (SELECT total FROM s) SET @bad += 1; COMMIT; SET @i += 1 END; SELECT @bad"  # fmt: skip
    writers = [InThread(new_session(engine), batch.format(number)) for number in range(6)]
    readers = [InThread(new_session(engine), reading) for _ in range(2)]
    assert [w.end() for w in writers] == [[]] * 6
    assert [r.end() for r in readers] == [[[(0,)]]] * 2
    assert rows(setup, "SELECT COUNT(*), COUNT(DISTINCT id), COUNT(DISTINCT rv), (SELECT total FROM s) FROM c") == [(144, 144, 144, 144)]


def test_a_statement_keeps_the_versions_that_it_began_with(engine):
    session, other = new_session(engine), new_session(engine)
    rows(other, "ALTER DATABASE app SET READ_COMMITTED_SNAPSHOT ON; CREATE TABLE u (a int); INSERT u VALUES (1)")
    run = next(session.execute("SELECT t.v, (SELECT MAX(u.a) FROM u WHERE u.a > 0 * t.v) FROM t ORDER BY t.id"))
    rows(other, "UPDATE u SET a = 2; UPDATE t SET v = 0; UPDATE u SET a = 3")
    assert list(run.rows) == [(10, 1), (20, 1)]
