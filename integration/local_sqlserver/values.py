"""How the local SQL Server holds types and values: what the wire and the engine agree on.

Every value is held exactly, in a form that no rounding, zone or collation touches:

| type | Python value |
|---|---|
| tinyint, smallint, int, bigint | int |
| bit | bool |
| decimal, numeric | int, the unscaled number: the type has the scale |
| money, smallmoney | int, in units of 1/10,000 |
| real, float | float (a real's is one that single precision holds) |
| char, varchar, text | str whose characters the collation's code page has |
| nchar, nvarchar, ntext, xml | str; an unpaired surrogate is the code point U+D800 to U+DFFF |
| binary, varbinary, image, timestamp | bytes |
| uniqueidentifier | uuid.UUID |
| date | int, days since 0001-01-01 |
| time(n) | int, units of 100 ns since midnight |
| datetime2(n) | int, units of 100 ns since 0001-01-01 00:00 |
| datetime | int, units of 1/300 s since 1900-01-01 00:00 |
| smalldatetime | int, minutes since 1900-01-01 00:00 |
| datetimeoffset(n) | (int, int): units of 100 ns since 0001-01-01 00:00 in UTC, minutes of the offset |
| hierarchyid, geometry, geography | Udt |
| sql_variant | Variant |

NULL is None. The length of a type is in bytes of the type's own form (two a character of nchar and nvarchar), -1 for
(max).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MAX = -1


@dataclass(frozen=True)
class Collation:
    """A collation: its name tells code page and comparison."""

    name: str


DEFAULT_COLLATION = Collation("SQL_Latin1_General_CP1_CI_AS")


@dataclass(frozen=True)
class SqlType:
    """A type as `sys.types` calls it in `name`, with what its columns declare."""

    name: str
    length: int = 0
    precision: int = 0
    scale: int = 0
    collation: Collation | None = None


@dataclass(frozen=True)
class Udt:
    """A value of a CLR type: its bytes as SQL Server serializes them where that is known, and its text."""

    kind: str
    data: bytes
    text: str
    srid: int = 0


@dataclass(frozen=True)
class Variant:
    """A value of sql_variant."""

    type: SqlType
    value: object


@dataclass(frozen=True)
class Column:
    """A column of a result."""

    name: str
    type: SqlType
    nullable: bool = True


@dataclass
class Rows:
    """A result set. The rows are read once, and may raise SqlError midway."""

    columns: list[Column]
    rows: Iterable[tuple]


@dataclass(frozen=True)
class Done:
    """The end of a statement without a result set; `count`: the rows it changed, None where none are told."""

    count: int | None = None


@dataclass(frozen=True)
class Info:
    """A message that is no error (PRINT, 5701)."""

    number: int
    text: str


@dataclass(frozen=True)
class DatabaseChanged:
    """USE has taken the session to another database."""

    database: str


class SqlError(Exception):
    """An error of the server: its number decides what clients make of it."""

    def __init__(self, number: int, text: str, severity: int = 16, state: int = 1):
        super().__init__(text)
        self.number, self.text, self.severity, self.state = number, text, severity, state


@dataclass
class Parameter:
    """A parameter of a request: what sp_executesql is given beside its text."""

    name: str
    type: SqlType
    value: object
    output: bool = False
