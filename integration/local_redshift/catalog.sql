-- What PostgreSQL lacks of Redshift's catalog. Run once in template1, so that every database of the cluster has it.

SET allow_system_table_mods = on;
-- Types that are not whole yet are spoken of.
SET client_min_messages = warning;

-- https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_TABLE_INFO.html: names, types and order of the columns are
-- Redshift's, and as there a table without rows has no row. Unlike there the figures are as old as the last ANALYZE.
CREATE VIEW pg_catalog.svv_table_info AS
SELECT
    current_database()::text AS "database",
    n.nspname::text AS "schema",
    c.oid AS table_id,
    c.relname::text AS "table",
    'Y'::text AS encoded,
    'AUTO(ALL)'::text AS diststyle,
    'AUTO(SORTKEY)'::text AS sortkey1,
    (
        SELECT COALESCE(max(a.atttypmod - 4), 0)
        FROM pg_attribute a
        JOIN pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND t.typname = 'varchar' AND a.atttypmod >= 4
    )::integer AS max_varchar,
    ''::character(32) AS sortkey1_enc,
    0 AS sortkey_num,
    -- In blocks of 1 MB.
    ceil(pg_table_size(c.oid) / 1048576.0)::bigint AS size,
    0.0001::numeric(10, 4) AS pct_used,
    0::bigint AS "empty",
    NULL::numeric(5, 2) AS unsorted,
    0::numeric(5, 2) AS stats_off,
    c.reltuples::numeric(38, 0) AS tbl_rows,
    NULL::numeric(19, 2) AS skew_sortkey1,
    NULL::numeric(19, 2) AS skew_rows,
    c.reltuples::numeric(38, 0) AS estimated_visible_rows,
    NULL::text AS risk_event,
    NULL::numeric(12, 2) AS vacuum_sort_benefit,
    NULL::timestamp AS create_time
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE
    c.relkind = 'r' AND c.relpersistence <> 't' AND c.reltuples > 0
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast');

GRANT SELECT ON pg_catalog.svv_table_info TO PUBLIC;

-- https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_REDSHIFT_COLUMNS.html: names, types and order of the columns are
-- Redshift's. PostgreSQL has neither of the two keys: here a column's comment says `distkey`, or `sortkey 1`.
CREATE VIEW pg_catalog.svv_redshift_columns AS
SELECT
    current_database()::varchar(128) AS database_name,
    n.nspname::varchar(128) AS schema_name,
    c.relname::varchar(128) AS table_name,
    a.attname::varchar(128) AS column_name,
    a.attnum::integer AS ordinal_position,
    format_type(a.atttypid, a.atttypmod)::varchar(128) AS data_type,
    NULL::varchar(4000) AS column_default,
    CASE WHEN a.attnotnull THEN 'NO' ELSE 'YES' END::varchar(3) AS is_nullable,
    'none'::varchar(128) AS encoding,
    COALESCE(col_description(c.oid, a.attnum) ~ '\ydistkey\y', FALSE) AS distkey,
    COALESCE(substring(col_description(c.oid, a.attnum) FROM '\ysortkey (-?[0-9]+)')::integer, 0) AS sortkey,
    NULL::varchar(128) AS column_acl,
    col_description(c.oid, a.attnum)::varchar(256) AS remarks
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE
    c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast');

GRANT SELECT ON pg_catalog.svv_redshift_columns TO PUBLIC;

-- https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_EXTERNAL_TABLES.html: names, types and order of the columns are
-- Redshift's. Here there is none, unless a test puts one in.
CREATE VIEW pg_catalog.svv_external_tables AS
SELECT
    current_database()::text AS redshift_database_name,
    ''::text AS schemaname,
    ''::text AS tablename,
    ''::text AS tabletype,
    ''::text AS location,
    ''::text AS input_format,
    ''::text AS output_format,
    ''::text AS serialization_lib,
    ''::text AS serde_parameters,
    0::integer AS compressed,
    ''::text AS parameters
WHERE FALSE;

GRANT SELECT ON pg_catalog.svv_external_tables TO PUBLIC;

-- https://docs.aws.amazon.com/redshift/latest/dg/r_FARMFINGERPRINT64.html, of text, with another hash of the same kind.
CREATE FUNCTION pg_catalog.farmfingerprint64(text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hashtextextended($1 COLLATE "C", 0);

-- Types of Redshift's own, as text or bytes underneath, with the functions that read them. What Redshift takes in beside
-- the form that it puts out (WKT, JSON without quotes) is not taken here.
-- https://docs.aws.amazon.com/redshift/latest/dg/c_Supported_data_types.html
CREATE TYPE pg_catalog.super;
CREATE FUNCTION pg_catalog.super_in(cstring) RETURNS super LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION pg_catalog.super_out(super) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE pg_catalog.super (INPUT = super_in, OUTPUT = super_out, LIKE = text);
CREATE FUNCTION pg_catalog.json_serialize(super) RETURNS varchar LANGUAGE sql IMMUTABLE STRICT
AS 'SELECT CAST($1 AS varchar)';

CREATE TYPE pg_catalog.varbyte;
CREATE FUNCTION pg_catalog.varbyte_in(cstring) RETURNS varbyte LANGUAGE internal IMMUTABLE STRICT AS 'byteain';
CREATE FUNCTION pg_catalog.varbyte_out(varbyte) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'byteaout';
CREATE TYPE pg_catalog.varbyte (INPUT = varbyte_in, OUTPUT = varbyte_out, LIKE = bytea);
CREATE FUNCTION pg_catalog.to_hex(varbyte) RETURNS varchar LANGUAGE sql IMMUTABLE STRICT
AS 'SELECT encode(CAST(CAST($1 AS varchar) AS bytea), ''hex'')';

CREATE TYPE pg_catalog.geometry;
CREATE FUNCTION pg_catalog.geometry_in(cstring) RETURNS geometry LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION pg_catalog.geometry_out(geometry) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE pg_catalog.geometry (INPUT = geometry_in, OUTPUT = geometry_out, LIKE = text);
CREATE FUNCTION pg_catalog.st_ashexewkb(geometry) RETURNS varchar LANGUAGE sql IMMUTABLE STRICT
AS 'SELECT CAST($1 AS varchar)';

CREATE TYPE pg_catalog.geography;
CREATE FUNCTION pg_catalog.geography_in(cstring) RETURNS geography LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION pg_catalog.geography_out(geography) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE pg_catalog.geography (INPUT = geography_in, OUTPUT = geography_out, LIKE = text);
CREATE FUNCTION pg_catalog.st_ashexewkb(geography) RETURNS varchar LANGUAGE sql IMMUTABLE STRICT
AS 'SELECT CAST($1 AS varchar)';

CREATE TYPE pg_catalog.hllsketch;
CREATE FUNCTION pg_catalog.hllsketch_in(cstring) RETURNS hllsketch LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION pg_catalog.hllsketch_out(hllsketch) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE pg_catalog.hllsketch (INPUT = hllsketch_in, OUTPUT = hllsketch_out, LIKE = text);
