"""Dynamic management views: sizes, sessions, transactions.

https://learn.microsoft.com/sql/relational-databases/system-dynamic-management-views/system-dynamic-management-views
"""

from __future__ import annotations

from ..values import SqlError
from .objects import partition_id, stored
from .registry import datetime_of, rows_function, view


def _needs(ctx, what: str = "SERVER") -> None:
    """VIEW SERVER STATE, which Azure SQL Database asks for by database: errors 300 and 262 and then 297."""
    privileges = ctx.session.privileges
    if what == "DATABASE" or ctx.engine.azure:
        if not privileges.allows("VIEW DATABASE STATE"):
            raise SqlError(262, f"VIEW DATABASE STATE permission denied in database '{ctx.store.name}'.", 14)
    elif not privileges.on_server("VIEW SERVER STATE"):
        raise SqlError(300, "VIEW SERVER STATE permission was denied on object 'server', database 'master'.", 14)


@view("sys", "dm_db_partition_stats", (
    "partition_id bigint; object_id int not null; index_id int not null; partition_number int not null;"
    " in_row_data_page_count bigint; in_row_used_page_count bigint; in_row_reserved_page_count bigint; lob_used_page_count bigint;"
    " lob_reserved_page_count bigint; row_overflow_used_page_count bigint; used_page_count bigint; reserved_page_count bigint;"
    " row_count bigint"
))  # fmt: skip
def partition_stats(ctx):
    _needs(ctx, "DATABASE")
    for table, index, rows, pages in stored(ctx):
        yield partition_id(table, index), table.id, index, 1, max(pages - 1, 0), pages, pages, 0, 0, 0, pages, pages, rows


@rows_function("dm_db_stats_histogram", "object_id int; stats_id int; step_number int; range_high_key sql_variant; range_rows real; equal_rows real; distinct_range_rows bigint; average_range_rows real")  # fmt: skip
def stats_histogram(ctx, object_id, stats_id):
    return ()


@view("sys", "dm_exec_sessions", "session_id smallint not null; login_time datetime not null; host_name nvarchar(128); program_name nvarchar(128); login_name nvarchar(128) not null; status nvarchar(30) not null; database_id smallint not null; is_user_process bit not null; transaction_isolation_level smallint not null; open_transaction_count int not null; language nvarchar(128); original_login_name nvarchar(128) not null")  # fmt: skip
def sessions(ctx):
    levels = {"READ UNCOMMITTED": 1, "READ COMMITTED": 2, "REPEATABLE READ": 3, "SERIALIZABLE": 4, "SNAPSHOT": 5}
    all_of = ctx.session.privileges.on_server("VIEW SERVER STATE")
    for x in list(ctx.engine.sessions.values()):
        if all_of or x is ctx.session:
            yield x.spid, datetime_of(x.logged_in), x.host, x.application, x.login, "running" if x.running else "sleeping", x.store.id, True, levels[x.isolation], x.transactions.depth, x.options["LANGUAGE"], x.login  # fmt: skip


@view("sys", "dm_exec_connections", "session_id int; connect_time datetime not null; net_transport nvarchar(40) not null; protocol_type nvarchar(40); encrypt_option nvarchar(40) not null; auth_scheme nvarchar(40) not null; net_packet_size int; client_net_address varchar(48); local_tcp_port int")  # fmt: skip
def connections(ctx):
    _needs(ctx)
    for x in list(ctx.engine.sessions.values()):
        yield x.spid, datetime_of(x.logged_in), "TCP", "TSQL", "TRUE" if x.encrypted else "FALSE", "SQL", 4096, "127.0.0.1", 1433


@view("sys", "dm_exec_requests", "session_id smallint not null; request_id int not null; start_time datetime not null; status nvarchar(30) not null; command nvarchar(32) not null; database_id smallint not null; blocking_session_id smallint; wait_type nvarchar(60); transaction_id bigint not null")  # fmt: skip
def requests(ctx):
    all_of = ctx.session.privileges.on_server("VIEW SERVER STATE")
    for x in list(ctx.engine.sessions.values()):
        if x.running and (all_of or x is ctx.session):
            current = x.transactions.current
            blocker = _blocker(ctx, current)
            yield x.spid, 0, datetime_of(x.logged_in), "suspended" if blocker else "running", "SELECT", x.store.id, blocker, "LCK_M_S" if blocker else None, x.transaction_id  # fmt: skip


def _blocker(ctx, transaction) -> int:
    if transaction is None or transaction.waits_for is None:
        return 0
    with ctx.engine.lock:
        if transaction.waits_for is None:
            return 0
        blockers = transaction._blockers(transaction.waits_for, transaction.waiting_mode)
        return blockers[0].session.spid if blockers else 0


def _transactions(ctx) -> list:
    with ctx.engine.lock:
        return [x for x in ctx.engine.transactions.values() if x.session.transactions.current is x]


@view("sys", "dm_tran_active_transactions", "transaction_id bigint not null; name nvarchar(32) not null; transaction_begin_time datetime not null; transaction_type int not null; transaction_state int not null")  # fmt: skip
def active_transactions(ctx):
    _needs(ctx)
    for x in _transactions(ctx):
        yield x.id, "user_transaction", datetime_of(x.began), 1 if x.writes else 2, 2


@view("sys", "dm_tran_session_transactions", "session_id int not null; transaction_id bigint not null; is_user_transaction bit not null; is_local bit not null; is_bound bit not null; open_transaction_count int not null; enlist_count int not null")  # fmt: skip
def session_transactions(ctx):
    _needs(ctx)
    for x in _transactions(ctx):
        yield x.session.spid, x.id, x.is_user, True, False, x.session.transactions.depth, 0


@view("sys", "dm_tran_database_transactions", "transaction_id bigint not null; database_id int not null; database_transaction_begin_time datetime; database_transaction_type int not null; database_transaction_state int not null; database_transaction_log_record_count bigint; database_transaction_begin_lsn decimal(25,0)")  # fmt: skip
def database_transactions(ctx):
    _needs(ctx)
    for x in _transactions(ctx):
        for database in x.databases or ():
            yield x.id, database, datetime_of(x.began), 1, 4 if x.writes else 3, len(x.writes), None


@view("sys", "dm_tran_current_transaction", "transaction_id bigint not null; transaction_sequence_num bigint; transaction_is_snapshot bit not null; first_snapshot_sequence_num bigint; last_transaction_sequence_num bigint; first_useful_sequence_num bigint")  # fmt: skip
def current_transaction(ctx):
    _needs(ctx)
    x = ctx.session.transactions.current
    if x is not None:
        yield x.id, x.snapshot or ctx.engine.commits, x.isolation == "SNAPSHOT", x.snapshot, ctx.engine.commits, 0


@view("sys", "dm_os_sys_info", "cpu_count int not null; sqlserver_start_time datetime not null; physical_memory_kb bigint not null")
def sys_info(ctx):
    _needs(ctx)
    yield 2, datetime_of(ctx.engine.started), 8388608
