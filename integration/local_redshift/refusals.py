"""What Redshift refuses and PostgreSQL takes, as far as a migration could send it.

| refused | documented in https://docs.aws.amazon.com/redshift/latest/dg/ |
|---|---|
| SAVEPOINT, RELEASE, ROLLBACK TO, MOVE | c_SQL_commands.html, c_unsupported-postgresql-functions.html |
| DECLARE with more than `name CURSOR FOR query`, a second open cursor | declare.html |
| FETCH but `[NEXT, ALL or FORWARD [n or ALL]] FROM name`; ALL, and more than 1,000 rows, on one node | fetch.html |
| EXPLAIN but `[VERBOSE] query` | r_EXPLAIN.html |
| functions: aggregates, JSON, arrays, object sizes, recovery, transaction ids, strings, hashes | c_unsupported-postgresql-functions.html |
| types: json, uuid, bytea, arrays, ... | c_unsupported-postgresql-datatypes.html |
| COLLATE, VALUES as a table, constructors of arrays and rows | c_unsupported-postgresql-features.html |
| IS DISTINCT FROM | c_unsupported-postgresql-functions.html |
| TABLESAMPLE, LATERAL, FILTER, DISTINCT ON, MATERIALIZED | r_SELECT_synopsis.html, r_FROM_clause30.html, r_WITH_clause.html |
| settings that came after PostgreSQL 8.0 | cm_chap_ConfigurationRef.html; sqlalchemy/sqlalchemy issue 9494 |
| relations and columns of the catalog that came after PostgreSQL 8.0 | c_redshift-and-postgres-sql.html |

The words are Redshift's where they are known from reports of others, else PostgreSQL's for what it does not know.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .tokens import Token

ROWS_PER_FETCH = 1000
_BEFORE_EXPRESSIONS = ("select", "where", "having", "on", "and", "or", "not", "case", "when", "then", "else", "by", "between")
_NO_FUNCTION = "No function matches the given name and argument types. You may need to add explicit type casts."

_FUNCTIONS = re.compile(
    # Aggregates, sets of rows.
    r"string_agg|array_agg|every|xmlagg|corr|covar_(pop|samp)|regr_\w+|mode|generate_(series|subscripts)|unnest"
    # JSON: Redshift has json_parse, json_serialize, json_extract_... and a few more of its own.
    r"|to_jsonb?|row_to_json|array_to_json|jsonb_\w+|json_(agg|object|object_agg|build_\w+|each\w*|array_elements\w*"
    r"|object_keys|populate_\w+|to_record\w*|strip_nulls|extract_path)"
    # Arrays.
    r"|array_(append|prepend|cat|fill|length|ndims|position\w*|remove|replace)|cardinality"
    # Text, bytes, hashes.
    r"|encode|convert(_from|_to)?|format|quote_nullable|bit_length|overlay|concat_ws|to_ascii"
    r"|regexp_(match|matches|split_to_\w+)|string_to_table|starts_with|normalize|sha(224|256|384|512)"
    r"|hashtext\w*|hash_\w+|hash(int|float|char|name|bpchar|oid|enum|inet|macaddr|text|var)\w*|\w+_send|\w+_recv"
    r"|(int[248]|float[48]|text|bytea|bpchar|varchar|bool|name|oid|uuid|char|date)(send|recv)"
    # Times, numbers.
    r"|clock_timestamp|transaction_timestamp|statement_timestamp|justify_\w+|pg_sleep\w*|make_\w+|div|setseed|width_bucket"
    r"|num_(non)?nulls|gen_random_uuid"
    # The server: sizes, locks, recovery, transactions.
    r"|pg_(relation|table|total_relation|indexes|database|column|tablespace)_size|pg_size_pretty"
    r"|pg_(try_)?advisory\w+|pg_is_in_recovery|pg_(last|current)_(wal|xlog|xact|snapshot)\w*|pg_export_snapshot"
    r"|txid_\w+|pg_snapshot_\w+|row_security_active|pg_typeof|to_reg\w+|current_query|pg_get_keywords|pg_blocking_pids"
)
# Functions that Redshift has with other arguments: decode(expression, search, result, ...), current_setting(name),
# to_timestamp(text, format).
_ARGUMENTS = {"decode": 2, "current_setting": 2, "to_timestamp": 1}

_TYPES = {
    *("json", "jsonb", "uuid", "bytea", "xml", "money", "inet", "cidr", "macaddr", "macaddr8", "hstore", "citext"),
    *("tsvector", "tsquery", "jsonpath", "pg_lsn", "txid_snapshot", "pg_snapshot", "bit", "varbit", "point", "polygon"),
    *("int4range", "int8range", "numrange", "tsrange", "tstzrange", "daterange", "regnamespace", "regrole"),
}

_SETTINGS = re.compile(
    r"standard_conforming_strings|escape_string_warning|backslash_quote|bytea_output|xml(binary|option)|row_security"
    r"|idle_(in_transaction_)?session_timeout|lock_timeout|transaction_timeout|(default_)?transaction_deferrable"
    r"|jit\w*|max_parallel_\w+|min_parallel_\w+|parallel_\w+|force_parallel_mode|debug_parallel_query|hash_mem_multiplier"
    r"|enable_(bitmapscan|material|memoize|parallel_\w+|partition\w*|gathermerge|incremental_sort|indexonlyscan|async_append)"
    r"|synchronous_commit|session_replication_role|client_connection_check_interval|tcp_\w+|default_table_access_method"
    r"|default_toast_compression|plan_cache_mode|logical_decoding_work_mem"
)

_RELATIONS = re.compile(
    r"pg_(stat_ssl|stat_gssapi|prepared_xacts|prepared_statements|cursors|roles|authid|auth_members|enum|range|policy|policies"
    r"|publication\w*|subscription\w*|sequences?|matviews|partitioned_table|foreign_\w+|user_mappings?|extension|collation"
    r"|replication_\w+|stat_progress_\w+|ts_\w+|event_trigger|db_role_setting|largeobject_metadata|timezone_\w+|seclabels?)"
)
_COLUMNS = {
    *("relpersistence", "relrowsecurity", "relforcerowsecurity", "relispartition", "attidentity", "attgenerated"),
    *("attcollation", "indisvalid", "indisready", "indislive", "typcategory", "typcollation", "prokind", "conparentid"),
    *("virtualtransaction", "virtualxid", "locktype", "datcollate", "rolbypassrls", "backend_xid", "backend_xmin"),
    *("backend_type", "wait_event"),
}


@dataclass(frozen=True)
class Refusal:
    """An error of Redshift's."""

    code: str
    message: str
    hint: str | None = None


def _syntax(token: Token) -> Refusal:
    return Refusal("42601", f'syntax error at or near "{token.text}"')


def _no_setting(name: str) -> Refusal:
    return Refusal("42704", f'unrecognized configuration parameter "{name}"')


def _literal(token: Token) -> str:
    return token.text[token.text.find("'") + 1 :].rstrip("'").lower()


def _command(statement: list[Token], cursors: set[str]) -> Refusal | None:
    """Of the statement as a whole. `cursors` are those that are open before it."""
    first = statement[0]
    words = [token.text if token.kind == "word" else "" for token in statement]
    if first.is_word("savepoint", "release"):
        return Refusal("0A000", f"SQL command \"{first.text.upper()}\" is not supported")
    if first.is_word("rollback", "abort") and "to" in words:
        return Refusal("0A000", "SQL command \"ROLLBACK TO SAVEPOINT\" is not supported")
    if first.is_word("move", "values", "table", "do"):
        return _syntax(first)
    if first.is_word("declare"):
        return _declare(statement, cursors)
    if first.is_word("fetch"):
        return _fetch(statement)
    if first.is_word("close") and (len(statement) != 2 or statement[1].is_word("all")):
        return _syntax(statement[-1])
    if first.is_word("begin", "start", "set") and "deferrable" in words:
        return _syntax(statement[words.index("deferrable")])
    if first.is_word("set") and words[1:3] == ["transaction", "snapshot"]:
        return _syntax(statement[2])
    if first.is_word("explain") and len(statement) > 1:
        if statement[1].text == "(" or statement[1].is_word("analyze"):
            return _syntax(statement[1])
    if first.is_word("set", "reset", "show"):
        place = 2 if words[1:2] in (["local"], ["session"]) else 1
        name = statement[place].name.lower() if place < len(statement) and statement[place].name else ""
        if _SETTINGS.fullmatch(name):
            return _no_setting(name)
    return None


def _declare(statement: list[Token], cursors: set[str]) -> Refusal | None:
    if len(statement) < 5:
        return _syntax(statement[-1])
    for token, word in zip(statement[2:4], ("cursor", "for"), strict=True):
        if not token.is_word(word):
            return _syntax(token)
    if cursors:
        return Refusal("0A000", "A cursor is already open in this session; only one cursor can be open at a time")
    return None


def _fetch(statement: list[Token]) -> Refusal | None:
    rest = statement[1:]
    if len(rest) < 2 or not rest[-2].is_word("from"):
        return _syntax(rest[0] if rest else statement[0])
    form = [token.text for token in rest[:-2]]
    if form in (["all"], ["forward", "all"]):
        return Refusal(
            "0A000",
            "Fetch ALL is not supported on single-node clusters. Please specify the fetch size (maximum 1000 for"
            " single-node clusters) or upgrade to a multi node installation.",
        )
    if len(form) == 2 and form[0] == "forward" and form[1].isdecimal():
        if int(form[1]) > ROWS_PER_FETCH:
            return Refusal(
                "0A000",
                f"Fetch size {form[1]} exceeds the limit of {ROWS_PER_FETCH} for a single node configuration."
                " Reduce the client fetch/cache size or upgrade to a multi node installation.",
            )
        return None
    return None if form in ([], ["next"], ["forward"]) else _syntax(rest[0])


def _number_of_arguments(statement: list[Token], opening: int) -> int:
    depth, commas = 0, 0
    for token in statement[opening:]:
        if token.text in ("(", "["):
            depth += 1
        elif token.text in (")", "]"):
            depth -= 1
            if depth == 0:
                break
        elif token.text == "," and depth == 1:
            commas += 1
    return commas + 1


def _compares_rows(statement: list[Token], operator: int) -> bool:
    """Whether `(a, b)` stands before the operator, as a row and not as the arguments of a function."""
    depth, has_comma = 0, False
    for place in range(operator - 1, -1, -1):
        text = statement[place].text
        if text == ")":
            depth += 1
        elif text == "(":
            depth -= 1
            if depth == 0:
                before = statement[place - 1] if place else None
                is_call = before is not None and before.name is not None and not before.is_word(*_BEFORE_EXPRESSIONS)
                return has_comma and not is_call
        elif text == "," and depth == 1:
            has_comma = True
    return False


def _inside(statement: list[Token]) -> Refusal | None:
    """Of a function, a type, a clause anywhere in the statement."""
    for place, token in enumerate(statement):
        before = statement[place - 1] if place else None
        after = statement[place + 1] if place + 1 < len(statement) else None
        beyond = statement[place + 2] if place + 2 < len(statement) else None
        follows = after.text if after is not None and after.kind == "sign" else ""
        name = token.name
        if token.kind == "sign":
            if token.text in ("<", ">", "<=", ">=") and before is not None and before.text == ")":
                if follows == "(" and _compares_rows(statement, place):
                    return Refusal("0A000", "row constructors are not supported")
            if token.text == "::" and after is not None and after.name in _TYPES:
                return Refusal("42704", f'type "{after.name}" does not exist')
            if token.text == "[" and follows == "]":
                return Refusal("0A000", "arrays are not supported")
            continue
        if name is None:
            continue
        if follows == "(":
            if _FUNCTIONS.fullmatch(name) or _number_of_arguments(statement, place + 1) == _ARGUMENTS.get(name):
                return Refusal("42883", f"function {name} does not exist", _NO_FUNCTION)
            if name in ("set_config", "current_setting") and beyond is not None and beyond.kind == "literal":
                if _SETTINGS.fullmatch(_literal(beyond)):
                    return _no_setting(_literal(beyond))
        if _RELATIONS.fullmatch(name):
            return Refusal("42P01", f'relation "{name}" does not exist')
        if name in _COLUMNS:
            return Refusal("42703", f'column "{name}" does not exist')
        if token.kind != "word":
            continue
        follows_from = after is not None and after.is_word("from")
        ends = beyond is not None and beyond.text in (")", "(", "[")
        if token.text == "as" and after is not None and after.name in _TYPES and ends:
            return Refusal("42704", f'type "{after.name}" does not exist')
        if (
            token.text in ("tablesample", "lateral")
            or (token.text == "collate" and follows != "(" and not (after is not None and after.text.startswith("case_")))
            or (token.text == "filter" and follows == "(" and before is not None and before.text == ")")
            or (token.text == "array" and follows == "[")
            or (token.text == "row" and follows == "(")
            or (token.text == "values" and before is not None and before.text == "(")
            or (token.text == "on" and before is not None and before.is_word("distinct"))
            or (token.text == "materialized" and before is not None and before.is_word("as", "not") and follows == "(")
            or (token.text == "distinct" and before is not None and before.is_word("is", "not") and follows_from)
        ):
            return _syntax(token)
    return None


def refusal(statement: list[Token], cursors: set[str]) -> Refusal | None:
    """Why Redshift refuses the statement, in a session that has these cursors open."""
    return _command(statement, cursors) or _inside(statement)
