"""sys.databases, sys.configurations and the like."""

from __future__ import annotations

from .. import sqltypes as t
from ..values import Variant
from .registry import datetime_of, view


@view("sys", "databases", (
    "name sysname not null; database_id int not null; source_database_id int; owner_sid varbinary(85); create_date datetime not null;"
    " compatibility_level tinyint not null; collation_name sysname; user_access tinyint; user_access_desc nvarchar(60);"
    " is_read_only bit; is_auto_close_on bit not null; state tinyint; state_desc nvarchar(60); is_in_standby bit;"
    " snapshot_isolation_state tinyint; snapshot_isolation_state_desc nvarchar(60); is_read_committed_snapshot_on bit;"
    " recovery_model tinyint; recovery_model_desc nvarchar(60); is_cdc_enabled bit not null; is_encrypted bit;"
    " is_memory_optimized_elevate_to_snapshot_on bit since 2014; containment tinyint; is_ansi_nulls_on bit"
))  # fmt: skip
def databases(ctx):
    levels = {2008: 100, 2012: 110, 2014: 120, 2016: 130, 2017: 140, 2019: 150, 2022: 160}
    for store in list(ctx.engine.databases.values()):
        if ctx.engine.azure and store.name not in ("master", ctx.store.name):
            continue
        allowed = store.snapshot_allowed
        yield (
            store.name, store.id, None, b"\x01", datetime_of(store.created), levels[ctx.engine.version], store.collation.name, 0,
            "MULTI_USER", False, False, 0, "ONLINE", False, int(allowed), "ON" if allowed else "OFF", store.rcsi, 1, "FULL", False,
            False, False, 0, False,
        )  # fmt: skip


@view("sys", "configurations", "configuration_id int not null; name nvarchar(35) not null; value sql_variant; minimum sql_variant; maximum sql_variant; value_in_use sql_variant; description nvarchar(255) not null; is_dynamic bit not null; is_advanced bit not null")  # fmt: skip
def configurations(ctx):
    for number, name, value in ((1536, "max text repl size (B)", 65536), (1544, "max server memory (MB)", 2147483647), (1539, "max degree of parallelism", 0)):  # fmt: skip
        held = Variant(t.INT, value)
        yield number, name, held, Variant(t.INT, 0), Variant(t.INT, 2147483647), held, name, True, True


@view("sys", "database_files", "file_id int not null; type tinyint not null; name sysname; size int")
def database_files(ctx):
    yield 1, 0, ctx.store.name, 1024
