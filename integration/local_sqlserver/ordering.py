"""Sorting, set operations and FOR XML on rows that exist."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import chain
from operator import itemgetter
from xml.sax.saxutils import escape

from .comparisons import key_of
from .values import SqlError, SqlType

chained = chain


def in_order(out: list[tuple], descending: tuple[bool, ...], limit, skip, percent: bool, ties: bool) -> Iterator[tuple]:
    """The rows, which are last in each entry after their keys, sorted and cut."""
    if len(set(descending)) <= 1 and descending:
        width = len(descending)
        out.sort(key=itemgetter(0) if width == 1 else lambda entry: entry[:width], reverse=descending[0])
    else:
        for position in reversed(range(len(descending))):
            out.sort(key=itemgetter(position), reverse=descending[position])
    if skip is not None and skip < 0:
        raise SqlError(10742, "The offset specified in a OFFSET clause may not be negative.")
    start = skip or 0
    stop = len(out)
    if limit is not None:
        stop = start + (math.ceil(len(out) * limit / 100) if percent else limit)
    if ties and 0 < stop < len(out):
        while stop < len(out) and out[stop][:-1] == out[stop - 1][:-1]:
            stop += 1
    for entry in out[start:stop]:
        yield entry[-1]


def row_keys(types: list[SqlType]):
    """A function from a row to what makes it equal to another."""
    functions = [key_of(type_) for type_ in types]

    def keys(row: tuple) -> tuple:
        return tuple(v if f is None or v is None else f(v) for f, v in zip(functions, row, strict=True))

    return keys


def union(keys, *parts: Iterable[tuple]) -> Iterator[tuple]:
    seen = set()
    for row in chain(*parts):
        key = keys(row)
        if key not in seen:
            seen.add(key)
            yield row


def intersect(keys, left: Iterable[tuple], right: Iterable[tuple]) -> Iterator[tuple]:
    there = {keys(row) for row in right}
    return union(keys, (row for row in left if keys(row) in there))


def except_(keys, left: Iterable[tuple], right: Iterable[tuple]) -> Iterator[tuple]:
    there = {keys(row) for row in right}
    return union(keys, (row for row in left if keys(row) not in there))


globals()["except"] = except_


def xml_path(rows: Iterable[tuple], names: list[str], tag: str) -> str | None:
    """FOR XML PATH: https://learn.microsoft.com/sql/relational-databases/xml/use-path-mode-with-for-xml"""
    out = []
    for row in rows:
        cells = []
        for name, value in zip(names, row, strict=True):
            if value is not None:
                text = escape(str(value))
                cells.append(f"<{name}>{text}</{name}>" if name else text)
        out.append(f"<{tag}>{''.join(cells)}</{tag}>" if tag else "".join(cells))
    return "".join(out) if out else None
