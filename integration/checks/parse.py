"""`python -m checks.parse`: which statements does sqlglot, a parser that the project does not otherwise use, not
understand?

Standard input has a line of JSON for each statement, `{"dialect": "snowflake", "sql": "…"}`; standard output has one
for each that does not parse as one statement, `{"sql": "…", "why": "…"}`.
"""

from __future__ import annotations

import json
import logging
import re
import sys

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError


# sqlglot keeps these as text. A hybrid table is read as a table whose indexes are left out, as unknown to it as the word
# HYBRID; REMOVE has one form.
_REMOVE = re.compile(r'REMOVE @"(?:[^"]|"")+"(?:\."(?:[^"]|"")+")*(?:/[\w.-]+)*/?')
_HYBRID = re.compile(r"^CREATE HYBRID TABLE\b")
_INDEX = re.compile(r", INDEX \w+ \([^()]*\)(?: INCLUDE \([^()]*\))?")


def problem(dialect: str, sql: str) -> str | None:
    if dialect == "snowflake" and _REMOVE.fullmatch(sql):
        return None
    if dialect == "snowflake" and _HYBRID.match(sql):
        sql = _INDEX.sub("", _HYBRID.sub("CREATE TABLE", sql))
    try:
        found = [statement for statement in sqlglot.parse(sql, dialect=dialect) if statement is not None]
    except SqlglotError as error:
        return str(error)
    if len(found) != 1:
        return f"{len(found)} statements"
    # What sqlglot only keeps as text, it has not understood.
    for command in found[0].find_all(exp.Command):
        return f"kept as text: {command.name}"
    return None


def main() -> None:
    # A warning for each statement that is kept as text; the answer says it.
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    sys.stdin.reconfigure(encoding="utf-8")
    sys.stdout.reconfigure(encoding="utf-8")
    for line in sys.stdin:
        statement = json.loads(line)
        if why := problem(statement["dialect"], statement["sql"]):
            print(json.dumps({"sql": statement["sql"], "why": why}, ensure_ascii=False))


if __name__ == "__main__":
    main()
