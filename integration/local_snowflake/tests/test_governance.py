"""Policies, grants and collations: where they are told, and what they change."""

from __future__ import annotations


def test_a_masking_policy_stands_in_describe_and_a_tags_does_not(raw):
    raw.rows("CREATE TABLE t (id INT, \"Na me\" VARCHAR, tagged INT)")
    raw.rows("CREATE MASKING POLICY m AS (v VARCHAR) RETURNS VARCHAR -> '***'")
    raw.rows("ALTER TABLE t MODIFY COLUMN \"Na me\" SET MASKING POLICY m")
    database = raw.rows("SELECT CURRENT_DATABASE()")[0][0]
    assert [(row[0], row[10]) for row in raw.rows("DESCRIBE TABLE t")] == [
        ("ID", None), ("Na me", f"{database}.PUBLIC.M"), ("TAGGED", None),
    ]  # fmt: skip
    raw.rows("CREATE TAG secret")
    raw.rows("ALTER TAG secret SET MASKING POLICY m")
    raw.rows("ALTER TABLE t MODIFY COLUMN tagged SET TAG secret = 'yes'")
    assert raw.rows("DESCRIBE TABLE t")[2][10] is None
    references = (
        f"SELECT POLICY_KIND, REF_COLUMN_NAME, TAG_NAME FROM TABLE(\"{database}\".INFORMATION_SCHEMA.POLICY_REFERENCES("
        f"REF_ENTITY_NAME => '\"{database}\".\"PUBLIC\".\"T\"', REF_ENTITY_DOMAIN => 'TABLE'))"
    )
    assert raw.rows(references) == [["MASKING_POLICY", "Na me", None], ["MASKING_POLICY", "TAGGED", "SECRET"]]
    raw.rows("ALTER TABLE t MODIFY COLUMN \"Na me\" UNSET MASKING POLICY")
    assert raw.rows(references) == [["MASKING_POLICY", "TAGGED", "SECRET"]]
    assert raw.query("ALTER TABLE t MODIFY COLUMN id SET MASKING POLICY other")["code"] == "002003"
    assert raw.query("ALTER TABLE nothing ADD ROW ACCESS POLICY other ON (id)")["code"] == "002003"


def test_a_row_access_policy_stands_in_the_plan(raw):
    raw.rows("CREATE TABLE t (id INT)")
    assert not any("RowAccessPolicy" in (row[4] or "") for row in raw.rows("EXPLAIN SELECT * FROM t"))
    raw.rows("CREATE ROW ACCESS POLICY p AS (v INT) RETURNS BOOLEAN -> v > 1")
    raw.rows("ALTER TABLE t ADD ROW ACCESS POLICY p ON (id)")
    assert raw.rows("EXPLAIN SELECT * FROM t")[1][3:5] == ["DynamicSecureView", '"T (+ RowAccessPolicy)"']
    # Neither LIKE nor a replacement takes it over.
    raw.rows("CREATE TABLE u LIKE t")
    assert raw.rows("EXPLAIN SELECT * FROM u")[1][3] == "TableScan"
    raw.rows("ALTER TABLE t DROP ROW ACCESS POLICY p")
    assert raw.rows("EXPLAIN SELECT * FROM t")[1][3] == "TableScan"


def test_grants_are_told_until_their_object_is_replaced(raw):
    raw.rows("CREATE SEQUENCE s")
    raw.rows('GRANT USAGE ON SEQUENCE s TO ROLE "app"')
    raw.rows("GRANT USAGE ON SEQUENCE s TO DATABASE ROLE d.r")
    granted = [(row[1], row[4], row[5]) for row in raw.rows("SHOW GRANTS ON SEQUENCE s")]
    assert granted == [("OWNERSHIP", "ROLE", "SYSADMIN"), ("USAGE", "ROLE", "app"), ("USAGE", "DATABASE_ROLE", "D.R")]
    raw.rows("CREATE OR REPLACE SEQUENCE s")
    assert len(raw.rows("SHOW GRANTS ON SEQUENCE s")) == 1


def test_a_collation_changes_comparisons_and_an_empty_one_takes_it_away(raw):
    raw.rows("CREATE TABLE t (a VARCHAR(10) COLLATE 'en-ci', b VARCHAR)")
    raw.rows("INSERT INTO t VALUES ('x', 'X')")
    assert raw.rows("DESCRIBE TABLE t")[0][1] == "VARCHAR(10) COLLATE 'en-ci'"
    for condition, found in [("a = 'X'", 1), ("a = b", 1), ("COLLATE(a, '') = b", 0), ("EQUAL_NULL(COLLATE(a, ''), b)", 0)]:
        assert raw.rows(f"SELECT COUNT(*) FROM t WHERE {condition}") == [[str(found)]], condition
    # LIKE keeps it.
    raw.rows("CREATE TABLE u LIKE t")
    assert raw.rows("DESCRIBE TABLE u")[0][1] == "VARCHAR(10) COLLATE 'en-ci'"
    raw.rows("INSERT INTO u VALUES ('x', 'X')")
    assert raw.rows("SELECT COUNT(*) FROM u WHERE a = 'X'") == [["1"]]


def test_the_default_collation_of_a_schema_holds_for_new_columns_unless_the_ddl_says_otherwise(raw):
    raw.rows("CREATE SCHEMA s")
    raw.rows("ALTER SCHEMA s SET DEFAULT_DDL_COLLATION = 'en-ci'")
    raw.rows("CREATE TABLE s.t (a VARCHAR, n INT)")
    raw.rows("CREATE TABLE s.u (a VARCHAR) DEFAULT_DDL_COLLATION = '' COMMENT = 'x'")
    assert [row[1] for row in raw.rows("DESCRIBE TABLE s.t")] == ["VARCHAR(16777216) COLLATE 'en-ci'", "NUMBER(38,0)"]
    assert raw.rows("DESCRIBE TABLE s.u")[0][1] == "VARCHAR(16777216)"
