"""Times of seven digits, and offsets, which SQL Server has and DuckDB has not.

Columns that are declared TIMESTAMP_NTZ(7), TIME(7) or TIMESTAMP_TZ(7) are held as text of one form, whose order is that of
the times:

    TIMESTAMP_NTZ(7)   2024-02-28 22:00:00.0000001
    TIME(7)            22:00:00.0000001
    TIMESTAMP_TZ(7)    2024-02-29 12:00:00.0000001 -14:00   the time in UTC, and the offset

Clients see them as that text. What has another form is refused when it is loaded.
"""

from __future__ import annotations

import sqlglot
from sqlglot import Expr, exp

_T = exp.DType
_TIMES = {_T.TIMESTAMP: "ntz", _T.TIMESTAMPNTZ: "ntz", _T.TIME: "time", _T.TIMESTAMPTZ: "tz"}
_EXACT = {"ntz": {"7"}, "time": {"7"}, "tz": {"7"}}


def kind_of(kind: exp.DataType | None) -> str | None:
    """`ntz`, `time` or `tz` for a type whose values are held so."""
    if not isinstance(kind, exp.DataType) or kind.this not in _TIMES:
        return None
    name = _TIMES[kind.this]
    return name if [part.name for part in kind.expressions] and kind.expressions[0].name in _EXACT[name] else None


_FRACTION = r"rpad(coalesce(nullif(regexp_extract({t}, '\.([0-9]+)', 1), ''), '0'), 7, '0')"
_DATE = r"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(\.[0-9]{{1,7}})?"
_ELSE = "ELSE error('Timestamp ''' || {t} || ''' is not recognized') END"
# Dates and times are read once as what they are, so that a 30th of February is refused.
_FORMS = {
    "ntz": "CASE WHEN {t} IS NULL THEN NULL WHEN regexp_full_match({t}, '" + _DATE + "') "
    "THEN strftime(CAST(substr({t}, 1, 19) AS TIMESTAMP), '%Y-%m-%d %H:%M:%S') || '.' || " + _FRACTION + " " + _ELSE,
    "time": r"CASE WHEN {t} IS NULL THEN NULL WHEN regexp_full_match({t}, '[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(\.[0-9]{{1,7}})?') "
    "THEN substr(CAST(CAST(substr({t}, 1, 8) AS TIME) AS VARCHAR), 1, 8) || '.' || " + _FRACTION + " " + _ELSE,
    "tz": "CASE WHEN {t} IS NULL THEN NULL WHEN regexp_full_match({t}, '" + _DATE + " [+-][0-9]{{2}}:[0-9]{{2}}') "
    "THEN strftime(CAST(substr({t}, 1, 19) AS TIMESTAMP) - CASE WHEN substr({t}, -6, 1) = '-' THEN -1 ELSE 1 END * "
    "to_minutes(CAST(substr({t}, -5, 2) AS BIGINT) * 60 + CAST(right({t}, 2) AS BIGINT)), '%Y-%m-%d %H:%M:%S') "
    "|| '.' || " + _FRACTION + " || ' ' || right({t}, 6) " + _ELSE,
}


def of_text(value: Expr, kind: str) -> Expr:
    """Text in the form of such a type, in DuckDB's words."""
    text = exp.cast(value.copy(), exp.DataType.build("VARCHAR")).sql(dialect="duckdb")
    return sqlglot.parse_one(_FORMS[kind].format(t=text), read="duckdb")


_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)


def bare_literals(expression: Expr) -> None:
    """`c >= '…'::TIMESTAMP_NTZ(9)` without the cast: a bare literal is read as what it is compared with, a time of DuckDB's
    or a text of these. A text of more digits or with an offset comes after the literal that begins it, so that `>=` and
    `<` divide the values where they should; other comparisons need all digits."""
    for cast in list(expression.find_all(exp.Cast)):
        is_literal = isinstance(cast.this, exp.Literal) and cast.this.is_string
        if is_literal and isinstance(cast.parent, _COMPARISONS) and cast.to.this in _TIMES and cast.to.expressions:
            if cast.to.expressions[0].name in ("7", "8", "9"):
                # In UTC, which is what sessions of this stand-in have.
                text = cast.this.name.removesuffix(" +00:00") if cast.to.this == _T.TIMESTAMPTZ else cast.this.name
                cast.replace(exp.Literal.string(text))
