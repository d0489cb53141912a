"""Bind values as drivers send them. fakesnow's conversion goes through floats, which lose microseconds, takes
whole numbers only, and fails on NULL."""

from __future__ import annotations

import binascii
import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

_EPOCH = datetime(1970, 1, 1)


def value(kind: str, text: str | None) -> Any:
    if text is None:
        return None
    match kind.upper():
        case "FIXED":
            return int(text) if text.lstrip("+-").isdigit() else Decimal(text)
        case "REAL":
            return float(text)
        case "BOOLEAN":
            return text.lower() in ("true", "1")
        case "BINARY":
            return binascii.unhexlify(text)
        case "DATE":
            return (_EPOCH + timedelta(milliseconds=int(text))).date() if text.lstrip("-").isdigit() else date.fromisoformat(text)
        case "TIME":
            return (_EPOCH + timedelta(microseconds=int(text) // 1000)).time() if text.isdigit() else text
        case "TIMESTAMP_NTZ" | "TIMESTAMP_LTZ":
            if not text.lstrip("-").isdigit():
                return text
            moment = _EPOCH + timedelta(microseconds=int(text) // 1000)
            return moment if kind.upper() == "TIMESTAMP_NTZ" else moment.replace(tzinfo=UTC)
        case "TIMESTAMP_TZ":
            nanos, _, offset = text.partition(" ")
            moment = (_EPOCH + timedelta(microseconds=int(nanos) // 1000)).replace(tzinfo=UTC)
            return moment.astimezone(timezone(timedelta(minutes=int(offset or 1440) - 1440)))
        case _:
            return text


def _ordered(bindings: dict[str, Any]) -> list[dict[str, Any]]:
    return [bindings[key] for key in sorted(bindings, key=int)]


_MARK = re.compile(r"""'(?:[^'\\]|''|\\.)*'|"(?:[^"]|"")*"|\?""", re.DOTALL)


def inlined(text: str, bindings: dict[str, Any] | None) -> str | None:
    """The statement with its values in their places, if they are texts and whole numbers, one of each."""
    if not bindings:
        return text
    ordered = _ordered(bindings)
    if any(b["type"] not in ("TEXT", "FIXED") or isinstance(b["value"], list) for b in ordered):
        return None
    values = iter(ordered)

    def literal(match: re.Match) -> str:
        if match[0] != "?":
            return match[0]
        bind = next(values)
        if bind["value"] is None:
            return "NULL"
        if bind["type"] == "FIXED":
            return bind["value"]
        return "'" + bind["value"].replace("\\", "\\\\").replace("'", "''") + "'"

    try:
        return _MARK.sub(literal, text)
    except StopIteration:
        return None


def rows(bindings: dict[str, Any] | None) -> list[list[Any] | None]:
    """The parameters of each execution: one, or one per row of an array binding."""
    if not bindings:
        return [None]
    ordered = _ordered(bindings)
    if any(isinstance(b["value"], list) for b in ordered):
        columns = [[value(b["type"], v) for v in b["value"]] for b in ordered]
        return [list(row) for row in zip(*columns, strict=True)]
    return [[value(b["type"], b["value"]) for b in ordered]]
