"""Primary keys, unique indexes and foreign keys are held."""

from __future__ import annotations

from .comparisons import key_of
from .conversions import shower
from .tables import Index, Table
from .values import SqlError


def _key_function(table: Table, index: Index):
    places = [table.position(column) for column, _ in index.columns]
    functions = [key_of(table.columns[p].type) for p in places]

    def key(row: tuple) -> tuple:
        return tuple(
            row[p] if f is None or row[p] is None else f(row[p]) for p, f in zip(places, functions, strict=True)
        )

    return key


def check_keys(transaction, table: Table, rows: list[tuple], replaced: dict) -> None:
    """2627 and 2601: no two rows have the same key. NULL counts as a value."""
    unique = [i for i in table.indexes if i.unique and not i.disabled and i.filter is None and i.columns]
    if not unique:
        return
    made = transaction.writes[table]
    whole = bool(replaced) or table.keys is None or not _is_extended(table.keys[0], made.latest, len(rows))
    known: dict[int, set] = {} if whole else table.keys[1]  # type: ignore[index]
    table.keys = None
    for index in unique:
        key = _key_function(table, index)
        seen = known.setdefault(index.id, set())
        for row in made.latest if whole else rows:
            form = key(row)
            if form in seen:
                raise _duplicate(table, index, row)
            seen.add(form)
    table.keys = made.latest, known


def _is_extended(before: list, now: list, added: int) -> bool:
    """Whether the rows are those of before and the new ones: rows are told by which tuple they are."""
    size = len(now) - added
    return len(before) == size and (size == 0 or (before[0] is now[0] and before[-1] is now[size - 1]))


def _duplicate(table: Table, index: Index, row: tuple) -> SqlError:
    values = []
    for column, _ in index.columns:
        held, type_ = row[table.position(column)], table.columns[table.position(column)].type
        if held is None:
            values.append("<NULL>")
        elif isinstance(held, bytes):
            values.append("0x" + held.hex())
        else:
            values.append(held if isinstance(held, str) else shower(type_, None)(held))
    shown = ", ".join(values)
    if index.constraint is not None:
        kind = "PRIMARY KEY" if index.primary else "UNIQUE KEY"
        return SqlError(2627, f"Violation of {kind} constraint '{index.name}'. Cannot insert duplicate key in object '{table.schema}.{table.name}'. The duplicate key value is ({shown}).", 14)  # fmt: skip
    return SqlError(2601, f"Cannot insert duplicate key row in object '{table.schema}.{table.name}' with unique index '{index.name}'. The duplicate key value is ({shown}).", 14)  # fmt: skip


def _rows(ctx, table: Table) -> list[tuple]:
    transaction = ctx.session.transactions.current
    own = transaction.writes.get(table) if transaction is not None else None
    return own.latest if own else table.rows


def _keys(table: Table, names: list[str]):
    columns = [table.column(name) for name in names]
    places = [table.columns.index(c) for c in columns]
    functions = [key_of(c.type) for c in columns]  # type: ignore[union-attr]
    return lambda row: tuple(
        None if row[p] is None else row[p] if f is None else f(row[p]) for p, f in zip(places, functions, strict=True)
    )


def check_foreign_keys(ctx, table: Table, rows: list[tuple]) -> None:
    for key in table.foreign_keys:
        mine, theirs = _keys(table, key.columns), _keys(key.target, key.target_columns)
        there = {theirs(row) for row in _rows(ctx, key.target)}
        for row in rows:
            form = mine(row)
            if None not in form and form not in there:
                raise SqlError(547, f'The INSERT statement conflicted with the FOREIGN KEY constraint "{key.name}". The conflict occurred in database "{ctx.store.name}", table "{key.target.schema}.{key.target.name}".')  # fmt: skip


def check_referenced(ctx, table: Table, pairs: list[tuple]) -> None:
    for other in ctx.store.tables():
        for key in other.foreign_keys:
            if key.target is not table:
                continue
            mine, theirs = _keys(table, key.target_columns), _keys(other, key.columns)
            left = {mine(row) for row in _rows(ctx, table)}
            gone = {mine(old) for old, _ in pairs} - left
            if gone and any(theirs(row) in gone for row in _rows(ctx, other)):
                raise SqlError(547, f'The DELETE statement conflicted with the REFERENCE constraint "{key.name}". The conflict occurred in database "{ctx.store.name}", table "{other.schema}.{other.name}".')  # fmt: skip
