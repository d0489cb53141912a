"""T-SQL's types: what names and arguments make of them, and what two of them have in common."""

from __future__ import annotations

from dataclasses import replace

from .values import DEFAULT_COLLATION, MAX, Collation, SqlError, SqlType

# https://learn.microsoft.com/sql/t-sql/data-types/data-type-precedence-transact-sql, highest first.
PRECEDENCE = (
    "geography geometry hierarchyid sql_variant xml datetimeoffset datetime2 datetime smalldatetime date time float real"
    " decimal numeric money smallmoney bigint int smallint tinyint bit ntext text image timestamp uniqueidentifier nvarchar nchar"
    " varchar char varbinary binary"
).split()
_RANK = {name: rank for rank, name in enumerate(PRECEDENCE)}

INTEGERS = {"tinyint": (0, 255), "smallint": (-(1 << 15), (1 << 15) - 1), "int": (-(1 << 31), (1 << 31) - 1), "bigint": (-(1 << 63), (1 << 63) - 1)}  # fmt: skip
# sys.types: length, precision, scale.
_FIXED = {
    "tinyint": (1, 3, 0), "smallint": (2, 5, 0), "int": (4, 10, 0), "bigint": (8, 19, 0), "bit": (1, 1, 0),
    "money": (8, 19, 4), "smallmoney": (4, 10, 4), "real": (4, 24, 0), "float": (8, 53, 0), "uniqueidentifier": (16, 0, 0),
    "date": (3, 10, 0), "datetime": (8, 23, 3), "smalldatetime": (4, 16, 0), "timestamp": (8, 0, 0), "xml": (-1, 0, 0),
    "sql_variant": (8016, 0, 0), "hierarchyid": (892, 0, 0), "geometry": (-1, 0, 0), "geography": (-1, 0, 0),
    "image": (16, 0, 0), "text": (16, 0, 0), "ntext": (16, 0, 0),
}  # fmt: skip
WIDE = {"nchar", "nvarchar", "ntext"}
NARROW = {"char", "varchar", "text"}
TEXT = WIDE | NARROW
BINARY = {"binary", "varbinary", "image", "timestamp"}
TEMPORAL = {"date", "time", "datetime", "smalldatetime", "datetime2", "datetimeoffset"}
EXACT = {"decimal", "numeric"}
MONEY = {"money", "smallmoney"}
APPROXIMATE = {"float", "real"}
NUMERIC = set(INTEGERS) | {"bit"} | EXACT | MONEY | APPROXIMATE
CLR = {"hierarchyid", "geometry", "geography"}
_SYNONYMS = {
    "integer": "int", "dec": "decimal", "rowversion": "timestamp", "character": "char", "sysname": "nvarchar",
    "varcharacter": "varchar", "datetimeoffset": "datetimeoffset",
}  # fmt: skip


def make(name: str, arguments: tuple[int, ...] = (), collation: Collation = DEFAULT_COLLATION, default_length: int = 30) -> SqlType:
    """The type of a name and its arguments: `default_length` is 30 in CAST and CONVERT, 1 elsewhere.

    https://learn.microsoft.com/sql/t-sql/functions/cast-and-convert-transact-sql
    """
    written = name
    name = _SYNONYMS.get(name.lower(), name.lower())
    if written.lower() == "sysname":
        return SqlType("nvarchar", 256, collation=collation)
    if name in ("char", "varchar", "nchar", "nvarchar", "binary", "varbinary"):
        return _sized(name, arguments, collation, default_length)
    if name in EXACT:
        precision = arguments[0] if arguments else 18
        scale = arguments[1] if len(arguments) > 1 else 0
        if not 1 <= precision <= 38:
            raise SqlError(2750, f"Column, parameter, or variable #1: Specified column precision {precision} is greater than the maximum precision of 38.")
        if scale > precision:
            raise SqlError(192, "The scale must be less than or equal to the precision.", 15)
        return decimal(precision, scale, name)
    if name in ("time", "datetime2", "datetimeoffset"):
        scale = arguments[0] if arguments else 7
        if not 0 <= scale <= 7:
            raise SqlError(1002, f"Line 1: Specified scale {scale} is invalid.", 15)
        return _temporal(name, scale)
    if name == "float":
        bits = arguments[0] if arguments else 53
        return SqlType("real", 4, 24) if bits <= 24 else SqlType("float", 8, 53)
    if name in _FIXED:
        if arguments:
            raise SqlError(2716, f"Column, parameter, or variable #1: Cannot specify a column width on data type {name}.")
        return SqlType(name, *_FIXED[name], collation if name in ("text", "ntext") else None)
    raise SqlError(243, f"Type {written} is not a defined system type.")


def _sized(name: str, arguments: tuple[int, ...], collation: Collation, default_length: int) -> SqlType:
    length = arguments[0] if arguments else default_length
    wide = name in WIDE
    if length == MAX and name in ("char", "nchar", "binary"):
        raise SqlError(102, "Incorrect syntax near 'max'.", 15)
    if length != MAX and not 1 <= length <= (4000 if wide else 8000):
        limit = 4000 if wide else 8000
        if length < 1:
            raise SqlError(1001, f"Line 1: Length or precision specification {length} is invalid.", 15)
        raise SqlError(131, f"The size ({length}) given to the type '{name}' exceeds the maximum allowed for any data type ({limit}).", 15)
    size = MAX if length == MAX else length * (2 if wide else 1)
    return SqlType(name, size, collation=collation if name in TEXT else None)


def decimal(precision: int, scale: int, name: str = "decimal") -> SqlType:
    length = 5 if precision <= 9 else 9 if precision <= 19 else 13 if precision <= 28 else 17
    return SqlType(name, length, precision, scale)


def _temporal(name: str, scale: int) -> SqlType:
    size = 3 if scale <= 2 else 4 if scale <= 4 else 5
    fraction = scale + 1 if scale else 0
    if name == "time":
        return SqlType(name, size, 8 + fraction, scale)
    if name == "datetime2":
        return SqlType(name, size + 3, 19 + fraction, scale)
    return SqlType(name, size + 5, 26 + fraction, scale)


INT, BIGINT, SMALLINT, TINYINT, BIT = (make(n) for n in ("int", "bigint", "smallint", "tinyint", "bit"))
FLOAT, REAL, MONEY_TYPE, DATETIME, DATE = (make(n) for n in ("float", "real", "money", "datetime", "date"))
GUID, XML, VARIANT, SYSNAME = (make(n) for n in ("uniqueidentifier", "xml", "sql_variant", "sysname"))
DATETIME2, DATETIMEOFFSET = make("datetime2"), make("datetimeoffset")


def text(characters: int, wide: bool = True, collation: Collation = DEFAULT_COLLATION) -> SqlType:
    """nvarchar or varchar of at most so many characters; more than fit make (max)."""
    name, limit = ("nvarchar", 4000) if wide else ("varchar", 8000)
    if characters == MAX or characters > limit:
        return SqlType(name, MAX, collation=collation)
    return SqlType(name, max(characters, 1) * (2 if wide else 1), collation=collation)


def binary(length: int) -> SqlType:
    return SqlType("varbinary", MAX if length == MAX or length > 8000 else max(length, 1))


def characters(type_: SqlType) -> int:
    """How many characters (units of UTF-16, bytes of the page) values of a text type have at most; -1: (max)."""
    if type_.name in ("text", "ntext"):
        return MAX
    return type_.length // 2 if type_.name in WIDE and type_.length > 0 else type_.length


def integer_digits(type_: SqlType) -> int:
    return {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 19, "bit": 1}[type_.name]


def as_decimal(type_: SqlType) -> SqlType:
    """The decimal that holds all values of an exact number's type."""
    if type_.name in EXACT:
        return type_
    if type_.name in MONEY:
        return decimal(type_.precision, 4)
    return decimal(integer_digits(type_), 0)


def common(left: SqlType, right: SqlType) -> SqlType:
    """The type that two are converted to where they meet in a CASE, UNION or comparison."""
    if left == right:
        return left
    high, low = (left, right) if _RANK[left.name] <= _RANK[right.name] else (right, left)
    if high.name in EXACT and low.name in set(INTEGERS) | {"bit"} | EXACT | MONEY:
        a, b = as_decimal(high), as_decimal(low)
        scale = max(a.scale, b.scale)
        whole = max(a.precision - a.scale, b.precision - b.scale)
        if whole + scale > 38:
            scale = max(38 - whole, 0) if whole <= 38 else scale
        return decimal(min(whole + scale, 38), scale, high.name)
    if high.name in ("nvarchar", "nchar", "varchar", "char") and low.name in TEXT:
        return _common_text(high, low)
    if high.name in ("varbinary", "binary") and low.name in ("varbinary", "binary"):
        length = MAX if MAX in (high.length, low.length) else max(high.length, low.length)
        return SqlType("binary" if high.name == low.name == "binary" and high.length == low.length else "varbinary", length)
    if high.name == low.name and high.name in ("time", "datetime2", "datetimeoffset"):
        return high if high.scale >= low.scale else low
    if high.name in ("datetime2", "datetimeoffset") and low.name in ("time", "datetime2", "datetime"):
        return _temporal(high.name, max(high.scale, low.scale))
    return high


def _common_text(high: SqlType, low: SqlType) -> SqlType:
    lengths = characters(high), characters(low)
    length = MAX if MAX in lengths else max(lengths)
    wide = high.name in WIDE
    if wide and length > 4000:
        length = MAX if MAX in lengths else 4000
    fixed = high.name in ("char", "nchar") and low.name in ("char", "nchar") and lengths[0] == lengths[1]
    name = ("nchar" if wide else "char") if fixed else ("nvarchar" if wide else "varchar")
    return SqlType(name, length if length == MAX else length * (2 if wide else 1), collation=high.collation)


def with_collation(type_: SqlType, collation: Collation | None) -> SqlType:
    return replace(type_, collation=collation) if type_.name in TEXT else type_


def declared(type_: SqlType) -> str:
    """The type as its declaration is written."""
    if type_.name in ("char", "varchar", "nchar", "nvarchar", "binary", "varbinary"):
        length = characters(type_) if type_.name in TEXT else type_.length
        return f"{type_.name}({'max' if length == MAX else length})"
    if type_.name in EXACT:
        return f"{type_.name}({type_.precision},{type_.scale})"
    if type_.name in ("time", "datetime2", "datetimeoffset"):
        return f"{type_.name}({type_.scale})"
    return type_.name
