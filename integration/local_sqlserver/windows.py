"""The values of window functions over rows that have been read."""

from __future__ import annotations

from collections.abc import Callable


def window(name: str, rows: list[tuple], part, order, descending: tuple[bool, ...], source, key, finish) -> list:
    """One value a row. `part`, `order`: functions of a row to keys; `source`: to the argument (NTILE: the number)."""
    result: list = [None] * len(rows)
    for indexes in _partitions(rows, part):
        keys = [order(*rows[i]) for i in indexes] if order is not None else None
        if keys is not None:
            places = list(range(len(indexes)))
            for position in reversed(range(len(descending))):
                places.sort(key=lambda p, position=position: keys[p][position], reverse=descending[position])
            indexes = [indexes[p] for p in places]
            keys = [keys[p] for p in places]
        values = [source(*rows[i]) for i in indexes] if callable(source) else None
        found = _FUNCTIONS[name](len(indexes), keys, values if values is not None else source, key, finish)
        for index, value in zip(indexes, found, strict=True):
            result[index] = value
    return result


def _partitions(rows: list[tuple], part) -> list[list[int]]:
    if part is None:
        return [list(range(len(rows)))] if rows else []
    found: dict[tuple, list[int]] = {}
    for index, row in enumerate(rows):
        found.setdefault(part(*row), []).append(index)
    return list(found.values())


def _ntile(count: int, keys, tiles, key, finish) -> list[int]:
    """The first of the tiles have one row more: https://learn.microsoft.com/sql/t-sql/functions/ntile-transact-sql"""
    from .values import SqlError

    if tiles is None or tiles <= 0:
        raise SqlError(4116, "The function 'ntile' takes only a positive int or bigint as its input.")
    size, more = divmod(count, tiles)
    found: list[int] = []
    for tile in range(1, min(tiles, count) + 1):
        found += [tile] * (size + (tile <= more))
    return found


def _rank(count: int, keys, values, key, finish) -> list[int]:
    found = []
    for index in range(count):
        found.append(found[-1] if index and keys[index] == keys[index - 1] else index + 1)
    return found


def _dense_rank(count: int, keys, values, key, finish) -> list[int]:
    found: list[int] = []
    for index in range(count):
        found.append(1 if not index else found[-1] + (keys[index] != keys[index - 1]))
    return found


def _shifted(step: int):
    def shift(count: int, keys, values, key, finish) -> list:
        by = step * (1 if key is None else key)
        return [values[i + by] if 0 <= i + by < count else None for i in range(count)]

    return shift


def _running(add: Callable) -> Callable:
    """Over all rows of the partition, or with ORDER BY over those up to the last that is equal to this one."""

    def run(count: int, keys, values, key, finish) -> list:
        state, found, start = None, [None] * count, 0
        while start < count:
            stop = count
            if keys is not None:
                stop = start + 1
                while stop < count and keys[stop] == keys[start]:
                    stop += 1
            for index in range(start, stop):
                state = add(state, values[index] if values is not None else True, key)
            found[start:stop] = [_given(state, finish)] * (stop - start)
            start = stop
        return found

    return run


def _given(state, finish):
    if finish is not None:
        return finish(*(state or (0, 0)))
    return state[-1] if isinstance(state, tuple) else state or 0


def _count(state, value, key):
    return (state or 0) + (value is not None)


def _sum(state, value, key):
    total, count = state or (0, 0)
    return (total, count) if value is None else (total + value, count + 1)


def _extreme(smaller: bool):
    def add(state, value, key):
        if value is None:
            return state or (None, None)
        form = value if key is None else key(value)
        if state is None or state[0] is None or (form < state[0] if smaller else form > state[0]):
            return form, value
        return state

    return add


_FUNCTIONS = {
    "ROW_NUMBER": lambda count, *_: list(range(1, count + 1)),
    "NTILE": _ntile,
    "RANK": _rank,
    "DENSE_RANK": _dense_rank,
    "LAG": _shifted(-1),
    "LEAD": _shifted(1),
    "FIRST_VALUE": lambda count, keys, values, *_: values[:1] * count,
    "LAST_VALUE": lambda count, keys, values, *_: values,
    "COUNT": _running(_count),
    "COUNT_BIG": _running(_count),
    "SUM": _running(_sum),
    "AVG": _running(_sum),
    "MIN": _running(_extreme(True)),
    "MAX": _running(_extreme(False)),
}


def joined(entries: list[tuple], separator: str | None, descending: tuple[bool, ...]) -> str | None:
    for position in reversed(range(len(descending))):
        entries.sort(key=lambda e, position=position: e[position], reverse=descending[position])
    return (separator or "").join(entry[-1] for entry in entries) if entries else None
