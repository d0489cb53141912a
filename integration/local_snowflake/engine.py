"""One statement on one DuckDB connection, through fakesnow's translation.

fakesnow's cursor parses, translates and executes. Three things are done differently: a statement arrives as
a syntax tree that the session has already looked at; MERGE runs as DuckDB's own MERGE, because fakesnow's
takes only plain columns as values; and long lists of literal rows skip the translation, whose seventy passes
over the tree would cost a second for a few hundred rows.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import pyarrow as pa
from fakesnow.conn import FakeSnowflakeConnection
from fakesnow.cursor import FakeSnowflakeCursor
from sqlglot import Expr, exp

from . import results

warnings.filterwarnings("ignore", message="Arrow output on a DB-API result")

_ROWS_WORTH_SKIPPING = 4


@dataclass
class Answer:
    """A result set, or the counts of a DML statement."""

    table: pa.Table
    rowtype: list[dict[str, Any]]
    is_dml: bool = False
    type_id: int = 0


def single(column: str, value: str) -> Answer:
    table = pa.table({column: pa.array([value], pa.string())})
    return Answer(table, [results.row_type(column, "VARCHAR")])


def from_rows(columns: list[tuple[str, str]], rows: list[tuple]) -> Answer:
    kinds = {"VARCHAR": pa.string(), "BIGINT": pa.int64()}
    arrays = [pa.array([row[i] for row in rows], kinds[kind]) for i, (_, kind) in enumerate(columns)]
    table = pa.Table.from_arrays(arrays, names=[name for name, _ in columns])
    return Answer(table, [results.row_type(name, kind) for name, kind in columns])


def counts(values: dict[str, int]) -> Answer:
    answer = from_rows([(f"number of rows {what}", "BIGINT") for what in values], [tuple(values.values())])
    answer.is_dml = True
    return answer


class Cursor(FakeSnowflakeCursor):
    def __init__(self, conn: FakeSnowflakeConnection) -> None:
        super().__init__(conn=conn, duck_conn=conn._duck_conn)

    def translate(self, expression: Expr, params: list | None = None) -> Expr:
        stashed = _stash_rows(expression)
        transformed = self._transform(expression, params)
        if stashed:
            for values in transformed.find_all(exp.Values):
                if rows := stashed.get(values.meta.get("stash")):
                    values.set("expressions", [*values.expressions, *rows])
        return transformed

    def run(self, expression: Expr, params: list | None) -> Answer:
        self.check_db_and_schema(expression)
        if isinstance(expression, exp.Merge):
            return self._merge(expression, params).run(self._duck_conn, params)
        for statement in self._transform_explode(expression):
            transformed = self.translate(statement, params)
            # Who cancelled it meanwhile has interrupted nothing.
            getattr(self._conn, "check_cancelled", lambda: None)()
            self._execute(transformed, params if transformed.find(exp.Placeholder) else None)
        is_dml = isinstance(expression, (exp.Insert, exp.Update, exp.Delete))
        return Answer(self._arrow_table, results.describe(self._duck_conn.description or []), is_dml)

    def plan(self, expression: Expr) -> Plan | None:
        """What is run for this query or DML statement, where it is one statement without effects beside it."""
        self.check_db_and_schema(expression)
        if isinstance(expression, exp.Merge):
            return self._merge(expression, None)
        statements = self._transform_explode(expression)
        transformed = self.translate(statements[0])
        if len(statements) > 1 or not isinstance(transformed, PLANNED) or transformed.args.get("seed"):
            return None
        written = {exp.Insert: "inserted", exp.Update: "updated", exp.Delete: "deleted"}.get(type(transformed))
        return Plan(transformed.sql(dialect="duckdb"), written)

    def _merge(self, merge: exp.Merge, params: list | None) -> Plan:
        actions = []
        for when in merge.args["whens"].expressions if isinstance(merge.args["whens"], exp.Whens) else merge.args["whens"]:
            then = when.args["then"]
            if isinstance(then, exp.Update):
                strip_target(then.expressions)
                actions.append("updated")
            elif isinstance(then, exp.Insert):
                actions.append("inserted")
            else:
                actions.append("deleted")
        transformed = self.translate(merge, params)
        sql = transformed.sql(dialect="duckdb") + " RETURNING merge_action"
        return Plan(sql, "merged", tuple(actions), transformed.find(exp.Placeholder) is not None)


PLANNED = (exp.Select, exp.SetOperation, exp.Insert, exp.Update, exp.Delete, exp.Merge)


@dataclass(frozen=True)
class Plan:
    """A query or DML statement in DuckDB's words, and what it writes, if it does."""

    sql: str
    written: str | None
    # Of a MERGE.
    actions: tuple[str, ...] = ()
    takes_params: bool = False

    def with_sql(self, sql: str) -> Plan:
        return replace(self, sql=sql)

    def run(self, conn: duckdb.DuckDBPyConnection, params: list | None = None) -> Answer:
        conn.execute(self.sql, params if self.takes_params else None)
        if self.written is None:
            rowtype = results.describe(conn.description or [])
            return Answer(conn.to_arrow_table(), rowtype)
        done = conn.fetchall()
        if self.written == "merged":
            verbs = {"inserted": "INSERT", "updated": "UPDATE", "deleted": "DELETE"}
            taken = [row[0] for row in done]
            return counts({what: taken.count(verb) for what, verb in verbs.items() if what in self.actions})
        answer = counts({self.written: done[0][0]})
        if self.written == "updated":
            column = "number of multi-joined rows updated"
            answer.table = answer.table.append_column(column, [[0]])
            answer.rowtype.append(results.row_type(column, "BIGINT"))
        return answer


def strip_target(assignments: list[Expr]) -> None:
    """`SET t.a = 1`: DuckDB wants the bare column on the left."""
    for assignment in assignments:
        if isinstance(assignment, exp.EQ) and isinstance(assignment.this, exp.Column):
            assignment.set("this", exp.Column(this=assignment.this.this))


def _stash_rows(expression: Expr) -> dict[int, list[Expr]]:
    stashed: dict[int, list[Expr]] = {}
    for number, values in enumerate(expression.find_all(exp.Values)):
        rows = values.expressions
        if len(rows) > _ROWS_WORTH_SKIPPING and all(_is_literal_row(row) for row in rows):
            values.meta["stash"] = number + 1
            stashed[number + 1] = rows[1:]
            values.set("expressions", rows[:1])
    return stashed


def _is_literal_row(row: Expr) -> bool:
    return isinstance(row, exp.Tuple) and all(
        isinstance(cell, (exp.Literal, exp.Null, exp.Boolean))
        or (isinstance(cell, exp.Neg) and isinstance(cell.this, exp.Literal))
        for cell in row.expressions
    )
