"""Procedures of the system that are known here."""

from __future__ import annotations

from typing import Any

from . import nodes as n
from . import sqltypes as t
from . import statements as s
from .parse_expressions import Expressions
from .values import Done, SqlError


def executesql(run: Any, statement: s.Execute):
    """https://learn.microsoft.com/sql/relational-databases/system-stored-procedures/sp-executesql-transact-sql"""
    given = statement.arguments
    if not given:
        raise SqlError(201, "Procedure or function 'sp_executesql' expects parameter '@statement', which was not supplied.")
    text = run.evaluated(given[0][1], t.text(-1))
    types: dict = {}
    variables: dict = {}
    back: list[tuple[str, str]] = []
    if len(given) > 1:
        for name, type_name in _declared(str(run.evaluated(given[1][1], t.text(-1)) or "")):
            types[name.lower()] = run.compiler().type(type_name)
            variables[name.lower()] = None
        names = list(types)
        for position, (name, value, is_output) in enumerate(given[2:]):
            target = (name or names[position]).lower()
            if target not in types:
                raise SqlError(8145, f"{name} is not a parameter for procedure sp_executesql.")
            variables[target] = run.evaluated(value, types[target])
            if is_output and isinstance(value, n.Variable):
                back.append((target, value.name.lower()))
    yield from run.nested(str(text or ""), types, variables)
    for inner, outer in back:
        run.variables[outer] = variables[inner]


def _declared(text: str) -> list[tuple[str, n.TypeName]]:
    cursor, found = Expressions(text), []
    while cursor.token.kind == "variable":
        name = cursor.next().text
        cursor.take("AS")
        found.append((name, cursor.type_name()))
        if not cursor.take("OUTPUT"):
            cursor.take("OUT")
        if not cursor.take_op(","):
            break
    if cursor.token.kind != "end":
        raise cursor.error()
    return found


_LEVELS = ("level0type", "level0name", "level1type", "level1name", "level2type", "level2name")


def _property(verb: str):
    """https://learn.microsoft.com/sql/relational-databases/system-stored-procedures/sp-addextendedproperty-transact-sql"""
    order = ("name", "value", *_LEVELS) if verb != "drop" else ("name", *_LEVELS)

    def run_it(run: Any, statement: s.Execute):
        values: dict[str, Any] = {}
        for position, (name, node, _) in enumerate(statement.arguments):
            key = name.lstrip("@").lower() if name else order[position]
            values[key] = run.evaluated(node, t.VARIANT if key == "value" else t.text(4000))
        session = run.session
        key = (*_securable(session, values), values["name"])
        held = session.store.properties
        if verb == "add":
            if key in held:
                raise SqlError(15233, f"Property cannot be added. Property '{values['name']}' already exists.")
            held[key] = values.get("value")
        elif key not in held:
            raise SqlError(15217, f"Cannot update or delete the property '{values['name']}': it does not exist.")
        elif verb == "update":
            held[key] = values.get("value")
        else:
            del held[key]
        yield Done(None)

    return run_it


def _securable(session: Any, values: dict[str, Any]) -> tuple[int, int, int]:
    """(class, major id, minor id) of sys.extended_properties."""
    if not values.get("level0type"):
        return 0, 0, 0
    schema = values["level0name"]
    if not values.get("level1type"):
        number = session.store.schema_id(schema)
        if number is None:
            raise SqlError(15135, f"Object is invalid. Extended properties are not permitted on '{schema}', or the object does not exist.")
        return 3, number, 0
    found = session.store.get(schema, values["level1name"])
    if found is None:
        raise SqlError(15135, f"Object is invalid. Extended properties are not permitted on '{schema}.{values['level1name']}', or the object does not exist.")  # fmt: skip
    if not values.get("level2type"):
        return 1, found.id, 0
    wanted = values["level2name"].lower()
    column = next((c for c in found.columns if c.name.lower() == wanted), None)
    if column is None:
        raise SqlError(15135, f"Object is invalid. Extended properties are not permitted on '{schema}.{found.name}.{values['level2name']}', or the object does not exist.")  # fmt: skip
    return 1, found.id, column.id


def _nothing(run: Any, statement: s.Execute):
    yield Done(None)


PROCEDURES = {
    "sp_executesql": executesql,
    "sp_addextendedproperty": _property("add"),
    "sp_updateextendedproperty": _property("update"),
    "sp_dropextendedproperty": _property("drop"),
    "sp_set_session_context": _nothing,
    "sp_updatestats": _nothing,
}
