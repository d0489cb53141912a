"""sys.objects and what belongs to objects.

https://learn.microsoft.com/sql/relational-databases/system-catalog-views/object-catalog-views-transact-sql
"""

from __future__ import annotations

from collections.abc import Iterator

from .. import sqltypes as t
from ..conversions import page_length
from ..store import TYPE_IDS, USER_TYPE_IDS
from ..tables import Module, Policy, Table, Thing
from ..values import DEFAULT_COLLATION, MAX, Variant
from .registry import datetime_of, view

_OBJECT = (
    "name sysname not null; object_id int not null; principal_id int; schema_id int not null; parent_object_id int not null;"
    " type char(2) not null; type_desc nvarchar(60); create_date datetime not null; modify_date datetime not null;"
    " is_ms_shipped bit not null; is_published bit not null; is_schema_published bit not null"
)
_NAMES = {"U": "USER_TABLE", "V": "VIEW", "IF": "SQL_INLINE_TABLE_VALUED_FUNCTION", "P": "SQL_STORED_PROCEDURE", "SN": "SYNONYM", "SP": "SECURITY_POLICY", "PK": "PRIMARY_KEY_CONSTRAINT", "UQ": "UNIQUE_CONSTRAINT", "C": "CHECK_CONSTRAINT", "D": "DEFAULT_CONSTRAINT", "F": "FOREIGN_KEY_CONSTRAINT"}  # fmt: skip


def visible(ctx, *kinds: str) -> list[Thing]:
    sees = ctx.session.privileges.sees
    return [o for o in list(ctx.store.objects.values()) if (not kinds or o.kind in kinds) and sees(o)]


def visible_tables(ctx) -> list[Table]:
    return [o for o in visible(ctx, "table") if isinstance(o, Table)]


def _object(thing: Thing) -> tuple:
    code = thing.type_code
    return (thing.name, thing.id, None, thing.schema_id, 0, code.ljust(2), _NAMES[code], datetime_of(thing.created), datetime_of(thing.modified or thing.created), False, False, False)  # fmt: skip


def _constraint(table: Table, id_: int, name: str, code: str) -> tuple:
    return (name, id_, None, table.schema_id, table.id, code.ljust(2), _NAMES[code], datetime_of(table.created), datetime_of(table.modified), False, False, False)  # fmt: skip


def _constraints(table: Table) -> Iterator[tuple]:
    for index in table.indexes:
        if index.constraint is not None:
            yield _constraint(table, index.constraint, index.name, "PK" if index.primary else "UQ")
    for check in table.checks:
        yield _constraint(table, check.id, check.name, "C")
    for key in table.foreign_keys:
        yield _constraint(table, key.id, key.name, "F")
    for column in table.columns:
        if column.default is not None:
            yield _constraint(table, column.default[3], column.default[0], "D")


@view("sys", "objects", _OBJECT)
def objects(ctx):
    for thing in visible(ctx):
        yield _object(thing)
        if isinstance(thing, Table):
            yield from _constraints(thing)


@view("sys", "all_objects", _OBJECT)
def all_objects(ctx):
    return objects(ctx)


@view("sys", "tables", _OBJECT + (
    "; lob_data_space_id int; max_column_id_used int; lock_on_bulk_load bit; uses_ansi_nulls bit; is_replicated bit;"
    " is_tracked_by_cdc bit; lock_escalation tinyint; is_filetable bit since 2012; is_memory_optimized bit since 2014;"
    " durability tinyint since 2014; durability_desc nvarchar(60) since 2014; temporal_type tinyint since 2016;"
    " temporal_type_desc nvarchar(60) since 2016; history_table_id int since 2016; is_external bit since 2016;"
    " is_node bit since 2017; is_edge bit since 2017; ledger_type tinyint since 2022"
))  # fmt: skip
def tables(ctx):
    kinds = ("NON_TEMPORAL_TABLE", "HISTORY_TABLE", "SYSTEM_VERSIONED_TEMPORAL_TABLE")
    for x in visible_tables(ctx):
        yield (
            *_object(x), 0, x.last_column_id, False, True, False, False, 0, False, x.memory_optimized, 0,
            "SCHEMA_AND_DATA", x.temporal_type, kinds[x.temporal_type], x.history.id if x.history else None, False, False, False, 0,
        )  # fmt: skip


@view("sys", "views", _OBJECT + "; with_check_option bit; is_date_correlation_view bit")
def views(ctx):
    for x in visible(ctx, "view"):
        yield (*_object(x), False, False)


@view("sys", "external_tables", _OBJECT + "; data_source_id int; location nvarchar(4000)", since=2016)
def external_tables(ctx):
    return ()


@view("sys", "synonyms", _OBJECT + "; base_object_name nvarchar(1035)")
def synonyms(ctx):
    for x in visible(ctx, "synonym"):
        yield (*_object(x), ".".join(f"[{p}]" for p in x.target))


def _holders(ctx):
    for thing in visible(ctx, "table", "view"):
        yield thing, thing.columns


@view("sys", "columns", (
    "object_id int not null; name sysname; column_id int not null; system_type_id tinyint not null; user_type_id int not null;"
    " max_length smallint not null; precision tinyint not null; scale tinyint not null; collation_name sysname; is_nullable bit;"
    " is_ansi_padded bit not null; is_rowguidcol bit not null; is_identity bit not null; is_computed bit not null;"
    " is_filestream bit not null; is_replicated bit; is_xml_document bit not null; xml_collection_id int not null;"
    " default_object_id int not null; rule_object_id int not null; is_sparse bit; is_column_set bit;"
    " generated_always_type tinyint since 2016; generated_always_type_desc nvarchar(60) since 2016; encryption_type int since 2016;"
    " encryption_type_desc nvarchar(64) since 2016; encryption_algorithm_name sysname since 2016; is_hidden bit since 2016;"
    " is_masked bit since 2016; graph_type int since 2017; graph_type_desc nvarchar(60) since 2017"
))  # fmt: skip
def columns(ctx):
    for thing, held in _holders(ctx):
        for c in held:
            yield _column(ctx, thing, c)


def _column(ctx, thing: Thing, c) -> tuple:
    type_ = c.type
    name = type_.name
    user_type = USER_TYPE_IDS[name]
    if c.user_type:
        alias = next((a for a in ctx.store.types.values() if a.name == c.user_type), None)
        user_type = alias.id if alias else 256
    generated = {"START": 1, "END": 2}.get(c.generated or "", 0)
    names = ("NOT_APPLICABLE", "AS_ROW_START", "AS_ROW_END")
    return (
        thing.id, c.name, c.id, TYPE_IDS[name], user_type, type_.length, type_.precision, type_.scale,
        type_.collation.name if type_.collation else None, c.nullable, name in t.TEXT or name in t.BINARY, c.row_guid,
        c.identity is not None, c.computed is not None, False, False, False, 0, c.default[3] if c.default else 0, 0, c.sparse,
        c.column_set, generated, names[generated], 1 if c.encrypted else None, "DETERMINISTIC" if c.encrypted else None,
        "AEAD_AES_256_CBC_HMAC_SHA_256" if c.encrypted else None, c.hidden, bool(c.mask), None, None,
    )  # fmt: skip


@view("sys", "all_columns", "object_id int not null; name sysname; column_id int not null; system_type_id tinyint not null; user_type_id int not null; max_length smallint not null; precision tinyint not null; scale tinyint not null; collation_name sysname; is_nullable bit")  # fmt: skip
def all_columns(ctx):
    return (row[:10] for row in columns(ctx))


@view("sys", "computed_columns", "object_id int not null; name sysname; column_id int not null; definition nvarchar(max); uses_database_collation bit not null; is_persisted bit not null; is_computed bit not null; is_nullable bit")  # fmt: skip
def computed_columns(ctx):
    for table in visible_tables(ctx):
        for c in table.columns:
            if c.computed is not None:
                yield table.id, c.name, c.id, c.computed_text, False, c.persisted, True, c.nullable


@view("sys", "identity_columns", "object_id int not null; name sysname; column_id int not null; seed_value sql_variant; increment_value sql_variant; last_value sql_variant; is_not_for_replication bit; is_computed bit; is_identity bit")  # fmt: skip
def identity_columns(ctx):
    for table in visible_tables(ctx):
        for c in table.columns:
            if c.identity is not None:
                held = [None if v is None else Variant(c.type, v * 10**c.type.scale) for v in (*c.identity, c.last_identity)]
                yield table.id, c.name, c.id, *held, False, False, True


@view("sys", "masked_columns", "object_id int not null; name sysname; column_id int not null; is_masked bit not null; masking_function nvarchar(4000)", since=2016)  # fmt: skip
def masked_columns(ctx):
    for table in visible_tables(ctx):
        for c in table.columns:
            if c.mask:
                yield table.id, c.name, c.id, True, c.mask


@view("sys", "indexes", (
    "object_id int not null; name sysname; index_id int not null; type tinyint not null; type_desc nvarchar(60); is_unique bit;"
    " data_space_id int; ignore_dup_key bit; is_primary_key bit; is_unique_constraint bit; fill_factor tinyint not null;"
    " is_padded bit; is_disabled bit; is_hypothetical bit; is_ignored_in_optimization bit since 2017; allow_row_locks bit;"
    " allow_page_locks bit; has_filter bit; filter_definition nvarchar(max); auto_created bit since 2017"
))  # fmt: skip
def indexes(ctx):
    for table in visible(ctx, "table", "view"):
        held = table.indexes  # type: ignore[attr-defined]
        if table.kind == "table" and not any(i.clustered for i in held):
            yield table.id, None, 0, 0, "HEAP", False, 1, False, False, False, 0, False, False, False, False, True, True, False, None, False  # fmt: skip
        for i in held:
            kind = (5 if i.clustered else 6) if i.columnstore else 1 if i.clustered else 2
            name = ("CLUSTERED COLUMNSTORE", "NONCLUSTERED COLUMNSTORE")[kind - 5] if kind > 4 else ("CLUSTERED", "NONCLUSTERED")[kind - 1]  # fmt: skip
            unique_constraint = i.constraint is not None and not i.primary
            yield table.id, i.name, i.id, kind, name, i.unique, 1, False, i.primary, unique_constraint, 0, False, i.disabled, False, False, True, True, i.filter is not None, i.filter, False  # fmt: skip


@view("sys", "index_columns", "object_id int not null; index_id int not null; index_column_id int not null; column_id int not null; key_ordinal tinyint not null; partition_ordinal tinyint not null; is_descending_key bit; is_included_column bit; column_store_order_ordinal tinyint since 2022")  # fmt: skip
def index_columns(ctx):
    for table in visible(ctx, "table", "view"):
        for i in table.indexes:  # type: ignore[attr-defined]
            position = 0
            for position, (column, descending) in enumerate(i.columns, 1):
                # The columns of a columnstore are no keys.
                yield table.id, i.id, position, column, 0 if i.columnstore else position, 0, descending, i.columnstore, 0
            for more, column in enumerate(i.included, position + 1):
                yield table.id, i.id, more, column, 0, 0, False, True, 0


_CONSTRAINT = _OBJECT + "; "


@view("sys", "key_constraints", _CONSTRAINT + "unique_index_id int; is_system_named bit; is_enforced bit since 2017")
def key_constraints(ctx):
    for table in visible_tables(ctx):
        for i in table.indexes:
            if i.constraint is not None:
                yield *_constraint(table, i.constraint, i.name, "PK" if i.primary else "UQ"), i.id, False, True


@view("sys", "default_constraints", _CONSTRAINT + "parent_column_id int not null; definition nvarchar(max); is_system_named bit")
def default_constraints(ctx):
    for table in visible_tables(ctx):
        for c in table.columns:
            if c.default is not None:
                yield *_constraint(table, c.default[3], c.default[0], "D"), c.id, c.default[2], False


@view("sys", "check_constraints", _CONSTRAINT + "is_disabled bit; is_not_trusted bit; parent_column_id int; definition nvarchar(max); is_system_named bit")  # fmt: skip
def check_constraints(ctx):
    for table in visible_tables(ctx):
        for check in table.checks:
            yield *_constraint(table, check.id, check.name, "C"), check.disabled, False, 0, check.text, False


@view("sys", "foreign_keys", _CONSTRAINT + "referenced_object_id int; key_index_id int; is_disabled bit; is_not_trusted bit; is_system_named bit")  # fmt: skip
def foreign_keys(ctx):
    for table in visible_tables(ctx):
        for key in table.foreign_keys:
            yield *_constraint(table, key.id, key.name, "F"), key.target.id, 1, False, False, False


@view("sys", "foreign_key_columns", "constraint_object_id int; constraint_column_id int; parent_object_id int; parent_column_id int; referenced_object_id int; referenced_column_id int")  # fmt: skip
def foreign_key_columns(ctx):
    for table in visible_tables(ctx):
        for key in table.foreign_keys:
            for number, (mine, theirs) in enumerate(zip(key.columns, key.target_columns, strict=True), 1):
                yield key.id, number, table.id, table.column(mine).id, key.target.id, key.target.column(theirs).id


@view("sys", "extended_properties", "class tinyint not null; class_desc nvarchar(60); major_id int not null; minor_id int not null; name sysname not null; value sql_variant")  # fmt: skip
def extended_properties(ctx):
    names = {0: "DATABASE", 1: "OBJECT_OR_COLUMN", 3: "SCHEMA"}
    seen = {thing.id for thing in visible(ctx)}
    for (kind, major, minor, name), value in list(ctx.store.properties.items()):
        if kind != 1 or major in seen:
            yield kind, names[kind], major, minor, name, value


@view("sys", "sql_modules", "object_id int not null; definition nvarchar(max); uses_ansi_nulls bit; uses_quoted_identifier bit; is_schema_bound bit")  # fmt: skip
def sql_modules(ctx):
    for thing in visible(ctx):
        if isinstance(thing, Module):
            yield thing.id, thing.text, True, True, "SCHEMABINDING" in thing.text.upper()


@view("sys", "security_policies", _CONSTRAINT + "is_enabled bit not null; is_not_for_replication bit not null; is_schema_bound bit not null", since=2016)  # fmt: skip
def security_policies(ctx):
    for thing in visible(ctx, "policy"):
        yield *_object(thing), thing.enabled, False, True  # type: ignore[attr-defined]


@view("sys", "security_predicates", "object_id int not null; security_predicate_id int not null; target_object_id int not null; predicate_definition nvarchar(max); predicate_type int; predicate_type_desc nvarchar(60); operation int; operation_desc nvarchar(60)", since=2016)  # fmt: skip
def security_predicates(ctx):
    for thing in visible(ctx, "policy"):
        if isinstance(thing, Policy):
            for number, (kind, function, _, table) in enumerate(thing.predicates, 1):
                text = ".".join(f"[{p}]" for p in function)
                yield thing.id, number, table.id, f"({text}())", 0 if kind == "FILTER" else 1, kind, None, None


@view("sys", "stats", "object_id int not null; name sysname; stats_id int not null; auto_created bit; user_created bit; no_recompute bit; has_filter bit; filter_definition nvarchar(max)")  # fmt: skip
def stats(ctx):
    for table in visible_tables(ctx):
        for i in table.indexes:
            yield table.id, i.name, i.id, False, False, False, i.filter is not None, i.filter


# Sizes

def row_bytes(table: Table) -> int:
    """About how many bytes the rows take, from a few of them."""
    rows = table.rows
    if not rows:
        return 0
    some = rows[:: max(len(rows) // 200, 1)][:200]
    size = sum(_row_bytes(table, row) for row in some)
    return size * len(rows) // len(some)


def _row_bytes(table: Table, row: tuple) -> int:
    size = 7
    for column, value in zip(table.columns, row, strict=False):
        type_ = column.type
        if value is None or (0 <= type_.length <= 16 and type_.name not in t.TEXT | t.BINARY):
            size += max(type_.length, 0)
        elif isinstance(value, str):
            size += 2 * len(value) if type_.name in t.WIDE or type_.name == "xml" else page_length(value, type_.collation or DEFAULT_COLLATION)  # fmt: skip
        elif isinstance(value, bytes):
            size += len(value)
        else:
            size += len(getattr(value, "data", b"")) or (8 if type_.length == MAX else max(type_.length, 8))
    return size


def pages(table: Table) -> int:
    if table.memory_optimized or not table.rows:
        return 0
    return row_bytes(table) // 8096 + 2


def partition_id(table: Table, index: int) -> int:
    return (table.id << 16) + index


def stored(ctx) -> Iterator[tuple[Table, int, int, int]]:
    """(table, index id, rows, pages) of each index and heap."""
    for table in visible_tables(ctx):
        if not any(i.clustered for i in table.indexes):
            yield table, 0, len(table.rows), pages(table)
        for i in table.indexes:
            yield table, i.id, len(table.rows), pages(table) if i.clustered else pages(table) // 4


@view("sys", "partitions", "partition_id bigint not null; object_id int not null; index_id int not null; partition_number int not null; hobt_id bigint not null; rows bigint; filestream_filegroup_id smallint; data_compression tinyint; data_compression_desc nvarchar(60)")  # fmt: skip
def partitions(ctx):
    for table, index, rows, _ in stored(ctx):
        number = partition_id(table, index)
        yield number, table.id, index, 1, number, rows, 0, 0, "NONE"


@view("sys", "allocation_units", "allocation_unit_id bigint not null; type tinyint not null; type_desc nvarchar(60); container_id bigint not null; data_space_id int; total_pages bigint not null; used_pages bigint not null; data_pages bigint not null")  # fmt: skip
def allocation_units(ctx):
    for table, index, _, count in stored(ctx):
        number = partition_id(table, index)
        yield number + 1, 1, "IN_ROW_DATA", number, 1, count, count, max(count - 1, 0)


@view("sys", "partition_schemes", "name sysname; data_space_id int; type char(2); function_id int")
def partition_schemes(ctx):
    return ()


@view("sys", "partition_functions", "name sysname; function_id int; fanout int")
def partition_functions(ctx):
    return ()
