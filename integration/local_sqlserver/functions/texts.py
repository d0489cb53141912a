"""https://learn.microsoft.com/sql/t-sql/functions/string-functions-transact-sql"""

from __future__ import annotations

import re

from .. import sqltypes as t
from ..code import Value
from ..collations import encode, rules
from ..conversions import cutter, units
from ..values import DEFAULT_COLLATION, MAX, SqlError
from .registry import call, function, invalid_argument, special, text_like, text_type


def _supplementary(value: Value) -> bool:
    return rules((value.type.collation or DEFAULT_COLLATION).name).supplementary


def _split(text: str) -> list[str]:
    """Units of UTF-16."""
    data = text.encode("utf-16-le", "surrogatepass")
    return [data[i : i + 2] for i in range(0, len(data), 2)]  # type: ignore[misc]


def _joined(parts) -> str:
    return b"".join(parts).decode("utf-16-le", "surrogatepass")


@function("LEN")
def length(c, value):
    if value.type.name in ("text", "ntext", "image", "xml"):
        raise invalid_argument(value, 1, "len")
    type_ = t.BIGINT if value.type.length == MAX else t.INT
    if value.type.name in t.BINARY:
        return call(c, len, type_, value)
    value = text_like(c, value, "len")
    if _supplementary(value):
        return call(c, lambda text: len(text.rstrip(" ")), type_, value)
    return call(c, lambda text: units(text.rstrip(" ")), type_, value)


@function("SUBSTRING", least=3)
def substring(c, value, start, count):
    start, count = c.convert(start, t.BIGINT, explicit=False), c.convert(count, t.BIGINT, explicit=False)
    if value.type.name in t.BINARY and not value.null:
        size = value.type.length if value.type.name != "image" else MAX
        if count.constant and count.literal is not None and size != MAX:
            size = max(min(size, count.literal), 1)
        return call(c, _bytes_part, t.binary(size), value, start, count)
    if value.type.name not in t.TEXT:
        raise invalid_argument(value, 1, "substring")
    if value.null:
        value = c.convert(value, t.text(1, True, c.collation))
    size = t.characters(value.type)
    if count.constant and count.literal is not None and size != MAX:
        size = max(min(size, count.literal), 1)
    python = _characters_part if _supplementary(value) else _units_part
    return call(c, python, text_type(value, size), value, start, count)


def _bounds(start: int, count: int) -> tuple[int, int]:
    if count < 0:
        raise SqlError(537, "Invalid length parameter passed to the LEFT or SUBSTRING function.")
    return max(start - 1, 0), max(start - 1 + count, 0)


def _bytes_part(data: bytes, start: int, count: int) -> bytes:
    low, high = _bounds(start, count)
    return data[low:high]


def _characters_part(text: str, start: int, count: int) -> str:
    low, high = _bounds(start, count)
    return text[low:high]


def _units_part(text: str, start: int, count: int) -> str:
    low, high = _bounds(start, count)
    if text.isascii() or max(text) <= "\uffff":
        return text[low:high]
    return _joined(_split(text)[low:high])


@function("LEFT", least=2)
def left(c, value, count):
    value, count = text_like(c, value, "left"), c.convert(count, t.INT, explicit=False)
    python = _characters_part if _supplementary(value) else _units_part
    size = count.literal if count.constant and count.literal else t.characters(value.type)
    return call(c, lambda text, n: python(text, 1, n), text_type(value, max(size, 1) if size != MAX else MAX), value, count)


@function("RIGHT", least=2)
def right(c, value, count):
    value, count = text_like(c, value, "right"), c.convert(count, t.INT, explicit=False)

    def python(text: str, n: int) -> str:
        if n < 0:
            raise SqlError(536, "Invalid length parameter passed to the RIGHT function.")
        if text.isascii() or max(text) <= "\uffff":
            return text[-n:] if n else ""
        return _joined(_split(text)[-n:]) if n else ""

    return call(c, python, text_type(value), value, count)


def _simple(name: str, python) -> None:
    @function(name)
    def made(c, value):
        value = text_like(c, value, name.lower())
        return call(c, python, text_type(value), value)


_simple("LTRIM", lambda text: text.lstrip(" "))
_simple("RTRIM", lambda text: text.rstrip(" "))
_simple("UPPER", lambda text: text.upper() if text.isascii() else "".join(x.upper() if len(x.upper()) == 1 else x for x in text))
_simple("LOWER", lambda text: text.lower() if text.isascii() else "".join(x.lower() if len(x.lower()) == 1 else x for x in text))
_simple("REVERSE", lambda text: text[::-1])


@function("TRIM", since=2017)
def trim(c, value):
    value = text_like(c, value, "trim")
    return call(c, lambda text: text.strip(" "), text_type(value), value)


def _pattern(collation, text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text), 0 if rules(collation.name).case else re.IGNORECASE)


@function("REPLACE", least=3)
def replace(c, value, old, new):
    value, old, new = (text_like(c, v, "replace", i + 1) for i, v in enumerate((value, old, new)))
    wide = any(v.type.name in t.WIDE for v in (value, old, new))
    winner = c.collation_of((value, old))
    collation = winner.type.collation or c.collation
    length = MAX if MAX in (value.type.length, old.type.length, new.type.length) else 4000 if wide else 8000

    def python(text: str, what: str, by: str) -> str:
        return _pattern(collation, what).sub(lambda _: by, text) if what else text

    return call(c, python, t.text(length, wide, collation), value, old, new, rank=winner.rank)


@function("CHARINDEX", least=2, most=3)
def charindex(c, what, value, start=None):
    what, value = text_like(c, what, "charindex"), text_like(c, value, "charindex", 2)
    collation = c.collation_of((value, what)).type.collation or c.collation
    start = c.convert(start, t.BIGINT, explicit=False) if start is not None else c.constant(1, t.BIGINT)

    def python(what: str, text: str, start: int) -> int:
        if not what:
            return 0
        found = _pattern(collation, what).search(text, max(start - 1, 0))
        return units(text[: found.start()]) + 1 if found else 0

    return call(c, python, t.BIGINT if value.type.length == MAX else t.INT, what, value, start)


@function("PATINDEX", least=2)
def patindex(c, pattern, value):
    pattern, value = text_like(c, pattern, "patindex"), text_like(c, value, "patindex", 2)
    name = (c.collation_of((value, pattern)).type.collation or c.collation).name

    def python(pattern: str, text: str) -> int:
        from ..collations import like_pattern

        inner = pattern.removeprefix("%")
        found = like_pattern(inner, None, name, False)
        places = range(len(text) + 1) if pattern.startswith("%") else (0,)
        return next((i + 1 for i in places if found.fullmatch(text[i:])), 0)

    return call(c, python, t.INT, pattern, value)


@function("REPLICATE", least=2)
def replicate(c, value, count):
    value, count = text_like(c, value, "replicate"), c.convert(count, t.INT, explicit=False)
    wide = value.type.name in t.WIDE
    type_ = t.text(MAX if value.type.length == MAX else 4000 if wide else 8000, wide, value.type.collation)
    cut = cutter(type_, True)

    def python(text: str, n: int):
        # A type that is not (max) ends at 8,000 bytes.
        return None if n < 0 else cut(text * n)

    from dataclasses import replace as changed

    return changed(call(c, python, type_, value, count), nullable=True)


@function("SPACE")
def space(c, count):
    return call(c, lambda n: None if n < 0 else " " * min(n, 8000), t.text(8000, False, c.collation), c.convert(count, t.INT))


@special("CONCAT", since=2012)
def concat(c, nodes, scope):
    if not 2 <= len(nodes) <= 254:
        raise SqlError(189, "The concat function requires 2 to 254 arguments.", 15)
    values = []
    for node in nodes:
        value = c.expression(node, scope)
        values.append(c.convert(value, t.text(1, False, c.collation)) if value.null else text_like(c, value, "concat"))
    wide = any(v.type.name in t.WIDE for v in values)
    sizes = [t.characters(v.type) for v in values]
    length = MAX if MAX in sizes else min(sum(sizes), 4000 if wide else 8000)
    winner = c.collation_of(values)
    type_ = t.text(length, wide, winner.type.collation or c.collation)
    cut = c.code.constant(cutter(type_, True))
    parts = ", ".join(f"{v.code} or ''" for v in values)
    return Value(c.code.let(f"{cut}(''.join(({parts},)))"), type_, False, rank=winner.rank, masked=any(v.masked for v in values))


@special("CONCAT_WS", since=2017)
def concat_ws(c, nodes, scope):
    values = [text_like(c, c.expression(node, scope), "concat_ws", i + 1) for i, node in enumerate(nodes)]
    type_ = t.text(MAX if any(v.type.length == MAX for v in values) else 4000, True, c.collation)
    parts = ", ".join(v.code for v in values[1:])
    code = f"({values[0].code} or '').join(x for x in ({parts},) if x is not None)"
    return Value(c.code.let(code), type_, False, rank=1)


@function("CHAR")
def char(c, code):
    def python(n: int):
        return bytes([n]).decode("cp1252", "windows") if 0 <= n <= 255 else None

    from dataclasses import replace as changed

    return changed(call(c, python, t.make("char", (1,), c.collation), c.convert(code, t.INT)), nullable=True)


@function("NCHAR")
def nchar(c, code):
    limit = 0x10FFFF if rules(c.collation.name).supplementary else 0xFFFF

    def python(n: int):
        return chr(n) if 0 <= n <= limit else None

    from dataclasses import replace as changed

    return changed(call(c, python, t.text(2 if limit > 0xFFFF else 1, True, c.collation), c.convert(code, t.INT)), nullable=True)


@function("UNICODE")
def unicode(c, value):
    value = text_like(c, value, "unicode")
    whole = _supplementary(value)

    def python(text: str):
        if not text:
            return None
        n = ord(text[0])
        return n if whole or n < 0x10000 else 0xD800 + ((n - 0x10000) >> 10)

    from dataclasses import replace as changed

    return changed(call(c, python, t.INT, value), nullable=True)


@function("ASCII")
def ascii_(c, value):
    value = text_like(c, value, "ascii")
    collation = value.type.collation or c.collation
    from dataclasses import replace as changed

    return changed(call(c, lambda s: encode(s[0], collation)[0] if s else None, t.INT, value), nullable=True)


@function("QUOTENAME", least=1, most=2)
def quotename(c, value, mark=None):
    value = c.convert(value, t.text(128, True, c.collation))
    mark = text_like(c, mark, "quotename", 2) if mark is not None else c.constant("[", t.text(1, True, c.collation))

    def python(text: str, mark: str):
        if len(text) > 128:
            return None
        pairs = {"[": "[]", "]": "[]", "'": "''", '"': '""', "(": "()", ")": "()", "<": "<>", ">": "<>", "{": "{}", "}": "{}", "`": "``"}
        opening, closing = pairs.get(mark[:1], "[]")
        return opening + text.replace(closing, closing * 2) + closing

    from dataclasses import replace as changed

    return changed(call(c, python, t.text(258, True, c.collation), value, mark), nullable=True)


@special("STUFF")
def stuff(c, nodes, scope):
    value, start, count, new = (c.expression(node, scope) for node in nodes)
    value, new = text_like(c, value, "stuff"), text_like(c, new, "stuff", 4)
    wide = value.type.name in t.WIDE or new.type.name in t.WIDE
    length = MAX if MAX in (value.type.length, new.type.length) else min(t.characters(value.type) + t.characters(new.type), 4000)
    start, count = c.convert(start, t.BIGINT), c.convert(count, t.BIGINT)

    def python(text: str, start: int, count: int, new: str):
        if not 1 <= start <= len(text) or count < 0:
            return None
        return text[: start - 1] + new + text[start - 1 + count :]

    if new.null:
        new = c.constant("", t.text(1, wide, c.collation))
    from dataclasses import replace as changed

    return changed(call(c, python, t.text(length, wide, value.type.collation), value, start, count, new), nullable=True)


@function("DATALENGTH")
def datalength(c, value):
    """https://learn.microsoft.com/sql/t-sql/functions/datalength-transact-sql"""
    from ..conversions_bytes import serializer

    type_ = value.type
    name = type_.name
    result = t.BIGINT if type_.length == MAX or name in ("text", "ntext", "image") else t.INT
    if value.null:
        return c.constant(None, t.INT)
    if name in t.BINARY:
        return call(c, len, result, value)
    if name in t.WIDE:
        return call(c, lambda text: 2 * len(text) if text.isascii() else 2 * units(text), result, value)
    if name in t.TEXT:
        collation = type_.collation or DEFAULT_COLLATION
        return call(c, lambda text: len(text) if text.isascii() else len(encode(text, collation)), result, value)
    if name == "xml":
        return call(c, lambda text: 2 * units(text) + 2, result, value)
    if name in t.CLR:
        return call(c, lambda held: len(held.data), result, value)
    if name == "sql_variant":
        return call(c, lambda held: len(serializer(held.type)(held.value)), t.INT, value)
    size = type_.length
    return call(c, lambda _: size, t.INT, value)
