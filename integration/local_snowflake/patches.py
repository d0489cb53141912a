"""What fakesnow gets wrong for this project, changed in place; each change says what it mends."""

from __future__ import annotations

from collections.abc import Callable
from string import Template

import fakesnow.cursor as cursor
import fakesnow.transforms as transforms
import fakesnow.transforms.transforms as impl
from sqlglot import Expr, exp

# The type a column was declared with is kept as JSON in DuckDB's column comment, so that it lives and dies
# with the table: DuckDB knows no VARCHAR(10), BINARY(5), TIMESTAMP_LTZ(3) or NUMBER(38,0) against INT.
_TYPED = """SELECT *, CASE WHEN starts_with(note, '{"t":') THEN json_extract_string(note, '$.t') END AS declared,
  coalesce(declared,
    CASE WHEN starts_with(data_type, 'DECIMAL') THEN replace(data_type, 'DECIMAL', 'NUMBER')
         WHEN data_type IN ('TINYINT','SMALLINT','INTEGER','BIGINT','HUGEINT','UBIGINT') THEN 'NUMBER(38,0)'
         WHEN data_type = 'VARCHAR' THEN 'VARCHAR(16777216)'
         WHEN data_type IN ('DOUBLE', 'FLOAT') THEN 'FLOAT'
         WHEN data_type = 'BLOB' THEN 'BINARY(8388608)'
         WHEN data_type IN ('TIMESTAMP', 'TIMESTAMP_NS') THEN 'TIMESTAMP_NTZ(9)'
         WHEN data_type = 'TIMESTAMP WITH TIME ZONE' THEN 'TIMESTAMP_TZ(9)'
         WHEN data_type = 'TIME' THEN 'TIME(9)'
         WHEN data_type = 'JSON' THEN 'VARIANT'
         ELSE data_type END) AS full_type,
  CASE WHEN declared IS NOT NULL THEN coalesce(json_extract_string(note, '$.d'), column_default) ELSE column_default END AS shown_default,
  CASE WHEN declared IS NOT NULL THEN json_extract_string(note, '$.c') ELSE note END AS shown_comment,
  CASE WHEN declared IS NOT NULL THEN json_extract_string(note, '$.m') END AS policy"""

GLOBAL_VIEWS = f"""
CREATE OR REPLACE VIEW _fs_global._fs_information_schema._fs_columns AS
WITH described AS (
  SELECT c.*, ddb.comment AS note
  FROM system.information_schema.columns c
  LEFT JOIN duckdb_columns() ddb
    ON ddb.database_name = c.table_catalog AND ddb.schema_name = c.table_schema
   AND ddb.table_name = c.table_name AND ddb.column_name = c.column_name
  WHERE c.table_schema != '_fs_information_schema'
), typed AS (
  {_TYPED}
  FROM described
)
SELECT
  table_catalog AS TABLE_CATALOG, table_schema AS TABLE_SCHEMA, table_name AS TABLE_NAME,
  column_name AS COLUMN_NAME, ordinal_position AS ORDINAL_POSITION,
  shown_default AS COLUMN_DEFAULT,
  is_nullable AS IS_NULLABLE,
  CASE WHEN full_type LIKE 'VARCHAR%' THEN 'TEXT' ELSE regexp_extract(full_type, '^[A-Z_]+') END AS DATA_TYPE,
  CASE WHEN full_type LIKE 'VARCHAR%' THEN regexp_extract(full_type, '[0-9]+')::BIGINT END AS CHARACTER_MAXIMUM_LENGTH,
  CASE WHEN full_type LIKE 'VARCHAR%' THEN least(regexp_extract(full_type, '[0-9]+')::BIGINT * 4, 16777216)
       WHEN full_type LIKE 'BINARY%' THEN regexp_extract(full_type, '[0-9]+')::BIGINT END AS CHARACTER_OCTET_LENGTH,
  CASE WHEN full_type LIKE 'NUMBER%' THEN regexp_extract(full_type, '([0-9]+),', 1)::BIGINT END AS NUMERIC_PRECISION,
  CASE WHEN full_type LIKE 'NUMBER%' THEN 10 END AS NUMERIC_PRECISION_RADIX,
  CASE WHEN full_type LIKE 'NUMBER%' THEN regexp_extract(full_type, ',([0-9]+)', 1)::BIGINT END AS NUMERIC_SCALE,
  CASE WHEN full_type LIKE 'TIME%' THEN regexp_extract(full_type, '[0-9]+')::BIGINT END AS DATETIME_PRECISION,
  nullif(regexp_extract(full_type, 'COLLATE ''(.*)''', 1), '') AS COLLATION_NAME,
  CASE WHEN note LIKE '%"i":true%' THEN 'YES' ELSE 'NO' END AS IS_IDENTITY,
  NULL::VARCHAR AS IDENTITY_GENERATION, NULL::VARCHAR AS IDENTITY_CYCLE,
  shown_comment AS COMMENT,
  NULL::VARCHAR AS IDENTITY_START, NULL::VARCHAR AS IDENTITY_INCREMENT, NULL::VARCHAR AS IDENTITY_ORDERED,
  NULL::VARCHAR AS DATA_TYPE_ALIAS, full_type AS _FULL_TYPE, policy AS _POLICY
FROM typed
"""

_DATABASE = Template("""
CREATE TABLE IF NOT EXISTS ${catalog}._fs_information_schema._load_metadata (
    schema_name VARCHAR, table_name VARCHAR, file_name VARCHAR, digest VARCHAR, row_count BIGINT,
    loaded_at TIMESTAMPTZ);
CREATE TABLE IF NOT EXISTS ${catalog}._fs_information_schema._transaction_marks (id BIGINT);
CREATE TABLE IF NOT EXISTS ${catalog}._fs_information_schema._transient_schemas (schema_name VARCHAR);
CREATE OR REPLACE VIEW ${catalog}._fs_information_schema._fs_tables AS
SELECT
    t.database_name AS TABLE_CATALOG, t.schema_name AS TABLE_SCHEMA, t.table_name AS TABLE_NAME,
    'SYSADMIN' AS TABLE_OWNER, 'BASE TABLE' AS TABLE_TYPE,
    CASE WHEN t.comment LIKE '{%"transient": true%' THEN 'YES' ELSE 'NO' END AS IS_TRANSIENT,
    NULL::VARCHAR AS CLUSTERING_KEY, t.estimated_size AS ROW_COUNT, 0 AS BYTES, 1 AS RETENTION_TIME,
    to_timestamp(0)::TIMESTAMPTZ AS CREATED, to_timestamp(0)::TIMESTAMPTZ AS LAST_ALTERED,
    to_timestamp(0)::TIMESTAMPTZ AS LAST_DDL, 'NO' AS AUTO_CLUSTERING_ON,
    CASE WHEN starts_with(t.comment, '{') THEN json_extract_string(t.comment, '$$.comment') ELSE t.comment END AS COMMENT,
    'NO' AS IS_TEMPORARY, 'NO' AS IS_ICEBERG, 'NO' AS IS_DYNAMIC, 'NO' AS IS_IMMUTABLE,
    CASE WHEN t.comment LIKE '{%"hybrid": true%' THEN 'YES' ELSE 'NO' END AS IS_HYBRID
FROM duckdb_tables() t
WHERE t.database_name = '${catalog}' AND t.schema_name != '_fs_information_schema'
UNION ALL BY NAME
SELECT v.database_name AS TABLE_CATALOG, v.schema_name AS TABLE_SCHEMA, v.view_name AS TABLE_NAME,
    'SYSADMIN' AS TABLE_OWNER, 'VIEW' AS TABLE_TYPE, 'NO' AS IS_TRANSIENT, 'NO' AS IS_HYBRID
FROM duckdb_views() v
WHERE v.database_name = '${catalog}' AND v.schema_name != '_fs_information_schema' AND NOT v.internal;
CREATE OR REPLACE VIEW ${catalog}._fs_information_schema._fs_check_constraints AS
SELECT database_name AS CONSTRAINT_CATALOG, schema_name AS CONSTRAINT_SCHEMA, table_name AS CONSTRAINT_TABLE,
    constraint_name AS CONSTRAINT_NAME, expression AS CHECK_CLAUSE
FROM duckdb_constraints() WHERE database_name = '${catalog}' AND constraint_type = 'CHECK';
""")

# Of the columns that are given, as lists of their names, DuckDB's types, whether they are nullable, defaults, notes, and whether
# they are of the primary key.
DESCRIBE = f"""
WITH given AS (
  SELECT unnest($1::VARCHAR[]) AS column_name, unnest($2::VARCHAR[]) AS data_type, unnest($3::BOOLEAN[]) AS is_nullable,
    unnest($4::VARCHAR[]) AS column_default, unnest($5::VARCHAR[]) AS note, unnest($6::BOOLEAN[]) AS is_key
), typed AS (
  {_TYPED}
  FROM given
)
SELECT column_name AS "name", full_type AS "type", 'COLUMN' AS "kind", CASE WHEN is_nullable THEN 'Y' ELSE 'N' END AS "null?",
    shown_default AS "default", CASE WHEN is_key THEN 'Y' ELSE 'N' END AS "primary key", 'N' AS "unique key",
    NULL::VARCHAR AS "check", NULL::VARCHAR AS "expression", shown_comment AS "comment", policy AS "policy name",
    NULL::JSON AS "privacy domain"
FROM typed
"""


def database_sql(alias: str) -> str:
    return _DATABASE.substitute(catalog=alias)


def integer_precision(expression: Expr) -> Expr:
    """fakesnow makes NUMBER(38,0) a BIGINT, which cannot hold 38 digits; only the INT family stays BIGINT."""
    if not isinstance(expression, exp.DataType):
        return expression
    kind = expression.this
    if kind in (exp.DType.INT, exp.DType.SMALLINT, exp.DType.TINYINT):
        return exp.DataType(this=exp.DType.BIGINT, nested=False, prefix=False)
    if kind == exp.DType.DECIMAL and len(expression.expressions) < 2:
        digits = [p.name for p in expression.expressions] or ["38"]
        sizes = [exp.DataTypeParam(this=exp.Literal.number(n)) for n in (*digits, "0")]
        return exp.DataType(this=kind, expressions=sizes, nested=False)
    if kind in (exp.DType.BINARY, exp.DType.VARBINARY) and expression.expressions:
        return exp.DataType(this=kind, nested=False)  # BLOB takes no length
    if kind in _TIMES and expression.expressions:
        return exp.DataType(this=kind, nested=False)  # DuckDB's TIMESTAMP(3) is another type
    return expression


_TIMES = {exp.DType.TIME, exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ, exp.DType.TIMESTAMPLTZ, exp.DType.TIMESTAMPTZ}


def _unchanged(expression: Expr, *_: object, **__: object) -> Expr:
    return expression


class _EscapedMessage(Template):
    """A statement whose text literal holds a name, which may have a quote in it."""

    def substitute(self, *_: object, **values: object) -> str:
        return super().substitute({key: str(value).replace("'", "''") for key, value in values.items()})


def _with_check_constraints(original: Callable[[Expr], Expr]) -> Callable[[Expr], Expr]:
    def redirect(expression: Expr) -> Expr:
        if isinstance(expression, exp.Table) and (expression.db, expression.name) == ("INFORMATION_SCHEMA", "CHECK_CONSTRAINTS"):
            expression.set("this", exp.Identifier(this="_FS_CHECK_CONSTRAINTS", quoted=False))
            expression.set("db", exp.Identifier(this="_FS_INFORMATION_SCHEMA", quoted=False))
            return expression
        return original(expression)

    return redirect


def apply() -> None:
    if transforms.information_schema_fs.__name__ != "redirect":
        transforms.information_schema_fs = _with_check_constraints(transforms.information_schema_fs)
    for name, template in list(vars(cursor).items()):
        if name.startswith(("SQL_CREATED_", "SQL_DROPPED", "SQL_OBJECT_EXISTS")) and isinstance(template, Template):
            setattr(cursor, name, _EscapedMessage(template.template))
    transforms.integer_precision = integer_precision
    # It makes every SUM and AVG a sum of doubles, for the sake of text columns; sums here must be exact.
    transforms.numeric_agg_implicit_cast = _unchanged
    # Lengths and comments are recorded with the table (see ddl), not in a second database.
    transforms.extract_text_length = _unchanged
    transforms.extract_comment_on_table = _unchanged


