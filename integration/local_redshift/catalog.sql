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

-- https://docs.aws.amazon.com/redshift/latest/dg/r_GETDATE.html: when the statement began, in whole seconds.
CREATE FUNCTION pg_catalog.getdate() RETURNS timestamp
LANGUAGE sql STABLE
RETURN date_trunc('second', CAST(statement_timestamp() AS timestamp));

-- Types of Redshift's own, as text or bytes underneath, with the functions that read them. What Redshift takes in beside
-- the form that it puts out (WKT, JSON without quotes) is not taken here.
-- https://docs.aws.amazon.com/redshift/latest/dg/c_Supported_data_types.html
CREATE TYPE pg_catalog.super;
CREATE FUNCTION pg_catalog.super_in(cstring) RETURNS super LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION pg_catalog.super_out(super) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE pg_catalog.super (INPUT = super_in, OUTPUT = super_out, LIKE = text);
-- Of NULL the text `null`: https://docs.aws.amazon.com/redshift/latest/dg/json_serialize.html
CREATE FUNCTION pg_catalog.json_serialize(super) RETURNS varchar LANGUAGE sql IMMUTABLE
AS 'SELECT COALESCE(CAST($1 AS varchar), ''null'')';

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

-- Row-level security: PostgreSQL's policies, as Redshift shows them.
-- https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_RLS_ATTACHED_POLICY.html: only sys:secadmin may query it.
CREATE ROLE "sys:secadmin";
CREATE VIEW pg_catalog.svv_rls_attached_policy AS
SELECT
    n.nspname::text AS relschema,
    c.relname::text AS relname,
    CASE c.relkind WHEN 'v' THEN 'view' ELSE 'table' END::text AS relkind,
    p.polname::text AS polname,
    pg_get_userbyid(c.relowner)::text AS grantor,
    COALESCE(r.rolname, 'public')::text AS grantee,
    CASE WHEN r.rolcanlogin THEN 'user' ELSE 'role' END::text AS granteekind,
    TRUE AS is_pol_on,
    c.relrowsecurity AS is_rls_on,
    'and'::character(3) AS rls_conjunction_type
FROM pg_policy p
JOIN pg_class c ON c.oid = p.polrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL unnest(p.polroles) AS granted (role)
LEFT JOIN pg_roles r ON r.oid = granted.role;

REVOKE ALL ON pg_catalog.svv_rls_attached_policy FROM PUBLIC;
GRANT SELECT ON pg_catalog.svv_rls_attached_policy TO "sys:secadmin";

-- https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_ATTACHED_MASKING_POLICY.html: others than superusers and
-- sys:secadmin see no rows. PostgreSQL masks nothing: here a column's comment says `masked by POLICY`.
CREATE VIEW pg_catalog.svv_attached_masking_policy AS
SELECT
    substring(col_description(c.oid, a.attnum) FROM 'masked by ([[:alnum:]_]+)')::text AS policy_name,
    n.nspname::text AS schema_name,
    c.relname::text AS table_name,
    'table'::text AS table_type,
    pg_get_userbyid(c.relowner)::text AS grantor,
    'public'::text AS grantee,
    'public'::text AS grantee_type,
    0 AS priority,
    '["' || a.attname || '"]' AS input_columns,
    '["' || a.attname || '"]' AS output_columns,
    FALSE AS is_masking_datashare_on
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE
    col_description(c.oid, a.attnum) ~ 'masked by [[:alnum:]_]+'
    AND pg_has_role('sys:secadmin', 'MEMBER');

GRANT SELECT ON pg_catalog.svv_attached_masking_policy TO PUBLIC;

-- What the port that plays Redshift puts in the place of PostgreSQL's own.
CREATE SCHEMA pg_redshift;
GRANT USAGE ON SCHEMA pg_redshift TO PUBLIC;

CREATE FUNCTION pg_redshift.version() RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 'PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 (Red Hat 3.4.2-6.fc3), Redshift 1.0.106452'::text;

-- https://docs.aws.amazon.com/redshift/latest/dg/r_EXPLAIN.html: a table with a policy for whoever asks shows as a node of
-- its own, which tells nothing of the policy. Of several such tables the first one shows.
CREATE FUNCTION pg_redshift.explain(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    line text;
    refused text;
BEGIN
    BEGIN
        PERFORM set_config('row_security', 'off', TRUE);
        EXECUTE 'EXPLAIN ' || query;
        PERFORM set_config('row_security', 'on', TRUE);
    EXCEPTION WHEN insufficient_privilege THEN
        -- The setting is what it was.
        refused := substring(SQLERRM FROM '^query would be affected by row-level security policy for table "(.*)"$');
    END;
    IF refused IS NOT NULL THEN
        RETURN NEXT 'XN RLS SecureScan ' || refused || '  (cost=0.00..0.01 rows=1 width=4)';
        RETURN;
    END IF;
    FOR line IN EXECUTE 'EXPLAIN ' || query LOOP
        IF line ~ '[(]cost=' THEN
            line := overlay(line PLACING 'XN ' FROM 1 + length(substring(line FROM '^ *(?:-> +)?')) FOR 0);
        END IF;
        RETURN NEXT line;
    END LOOP;
END
$$;
