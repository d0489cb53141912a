"""Collations: the parameter DEFAULT_DDL_COLLATION, the clause of that name, COLLATE of a column and of an expression.

What has "ci" in it compares without regard to case here; all else of collations is left out, as are ALTER TABLE and CREATE
TABLE … AS, whose columns get none. A hybrid table takes none on columns of its key or of an index (documentation of CREATE
HYBRID TABLE, "Collations on hybrid table columns", whose code this is).
"""

from __future__ import annotations

import re

from sqlglot import exp

from .errors import SnowflakeError

_TEXT = {exp.DType.VARCHAR, exp.DType.TEXT, exp.DType.NVARCHAR, exp.DType.CHAR, exp.DType.NCHAR}


def settle(create: exp.Create, columns: list[exp.ColumnDef], default: str, text: str, *, hybrid: bool) -> dict[str, str]:
    """Each text column's collation, where it has one; DuckDB is told of those that ignore case."""
    for prop in (create.args.get("properties") or exp.Properties(expressions=[])).expressions:
        if isinstance(prop.this, exp.Var) and prop.this.name.upper() == "DEFAULT_DDL_COLLATION":
            default = prop.args["value"].name
    indexed = _indexed(create, text) if hybrid else set()
    found = {}
    for definition in columns:
        kind = definition.args.get("kind")
        if kind is None or kind.this not in _TEXT:
            continue
        collation = default
        kept = []
        for constraint in definition.args.get("constraints") or []:
            if isinstance(constraint.kind, exp.CollateColumnConstraint):
                collation = constraint.kind.this.name
            else:
                kept.append(constraint)
        if collation.lower() == "utf8":
            collation = ""
        name = _name(definition.this)
        if collation and name in indexed:
            raise SnowflakeError(
                "391464", "SQL compilation error: Collations are not supported on primary keys or indexed columns.", "0A000"
            )
        if collation:
            found[name] = collation
            if in_duckdb := duckdb_name(collation):
                kept.append(exp.ColumnConstraint(kind=exp.CollateColumnConstraint(this=exp.var(in_duckdb))))
        definition.set("constraints", kept)
    return found


def duckdb_name(collation: str) -> str | None:
    return "NOCASE" if "ci" in collation.lower().split("-") else None


def in_expressions(expression: exp.Expr) -> None:
    """COLLATE(x, 'en-ci'); an empty specification takes that of a column away."""
    for node in list(expression.find_all(exp.Collate)):
        if isinstance(node.expression, exp.Literal):
            node.set("expression", exp.var(duckdb_name(node.expression.this) or "C"))


def _name(identifier: exp.Expr) -> str:
    return identifier.this if identifier.quoted else identifier.this.upper()


def _indexed(create: exp.Create, text: str) -> set[str]:
    names = set()
    for definition in create.find_all(exp.ColumnDef):
        kinds = [constraint.kind for constraint in definition.args.get("constraints") or []]
        if any(isinstance(kind, (exp.PrimaryKeyColumnConstraint, exp.UniqueColumnConstraint)) for kind in kinds):
            names.add(_name(definition.this))
    for key in create.find_all(exp.PrimaryKey, exp.UniqueColumnConstraint):
        names.update(_name(ident) for ident in key.find_all(exp.Identifier))
    # Indexes are taken out of the statement before it is parsed (see rewrite).
    for listed in re.findall(r"\bINDEX\s+\"?\w+\"?\s*\(([^()]*)\)", text, re.IGNORECASE):
        names.update(part.strip()[1:-1] if part.strip().startswith('"') else part.strip().upper() for part in listed.split(","))
    return names
