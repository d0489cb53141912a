"""hierarchyid, geometry and geography: their texts and bytes.

hierarchyid is encoded as SQL Server does up to 5,199 a level, and points as [MS-SSCLRT] says; other shapes have bytes of
this server's own, which only say which shape it is.
https://learn.microsoft.com/openspecs/sql_server_protocols/ms-ssclrt
"""

from __future__ import annotations

import re
import struct

from .values import SqlError, Udt

# [MS-SSCLRT] 2.1.4: first value of the range, bits; x: the value's, T: 1 before a slash.
_LEVELS = ((0, 3, "01xxT"), (4, 7, "100xxT"), (8, 15, "101xxxT"), (16, 79, "110xx0x1xxxT"), (80, 1103, "1110xxx0xxx0x1xxxT"), (1104, 5199, "11110xxxxx0xxx0x1xxxT"))  # fmt: skip


def _clr_error(kind: str, message: str) -> SqlError:
    return SqlError(
        6522,
        f'A .NET Framework error occurred during execution of user-defined routine or aggregate "{kind}": {message}',
    )


def hierarchy(text: str) -> Udt:
    """The value of a path such as `/1/2/`."""
    text = text.strip()
    if not re.fullmatch(r"/(?:-?\d+(?:\.-?\d+)*/)*", text):
        raise _clr_error("hierarchyid", f"24001: SqlHierarchyId.Parse failed because the input string '{text}' is not a valid string representation of a SqlHierarchyId node.")  # fmt: skip
    bits = ""
    for level in text.strip("/").split("/") if text != "/" else []:
        pattern = next((p for p in _LEVELS if level.isdecimal() and p[0] <= int(level) <= p[1]), None)
        if pattern is None:
            return Udt("hierarchyid", b"\xff" + text.encode(), text)
        value = format(int(level) - pattern[0], "b").rjust(pattern[2].count("x"), "0")
        digits = iter(value)
        bits += "".join(next(digits) if c == "x" else "1" if c == "T" else c for c in pattern[2])
    bits += "0" * (-len(bits) % 8)
    data = int(bits, 2).to_bytes(len(bits) // 8, "big") if bits else b""
    return Udt("hierarchyid", data, text)


def _hierarchy_text(data: bytes) -> str:
    if data[:1] == b"\xff":
        return data[1:].decode()
    bits = "".join(f"{b:08b}" for b in data)
    text = "/"
    while "1" in bits:
        for low, _, pattern in _LEVELS:
            piece = bits[: len(pattern)]
            fits = len(piece) == len(pattern) and all(p in "xT" or p == b for p, b in zip(pattern, piece, strict=True))
            if fits:
                text += str(low + int("".join(b for p, b in zip(pattern, piece, strict=True) if p == "x"), 2)) + "/"
                bits = bits[len(pattern) :]
                break
        else:
            raise _clr_error("hierarchyid", "24000: SqlHierarchyId operation failed because HierarchyId object was constructed from an invalid binary string.")  # fmt: skip
    return text


_KINDS = "POINT LINESTRING POLYGON MULTIPOINT MULTILINESTRING MULTIPOLYGON GEOMETRYCOLLECTION CIRCULARSTRING COMPOUNDCURVE CURVEPOLYGON FULLGLOBE".split()  # fmt: skip
_TOKEN = re.compile(r"\s*([A-Za-z]+|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[(),])")


def spatial(kind: str, text: str, srid: int) -> Udt:
    """A shape from well-known text, whose numbers and blanks are written in one way."""
    tokens, position = [], 0
    while position < len(text.rstrip()):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _spatial_error(kind, text)
        tokens.append(match[1])
        position = match.end()
    if not tokens or tokens[0].upper() not in _KINDS or tokens.count("(") != tokens.count(")"):
        raise _spatial_error(kind, text)
    parts = []
    for token in tokens:
        upper = token.upper()
        if token in "(),":
            parts.append(token)
        elif upper in _KINDS or upper in ("EMPTY", "NULL"):
            parts.append(upper)
        elif token[0].isalpha():
            raise _spatial_error(kind, text)
        else:
            parts.append(_number(float(token)))
    shown = " ".join(parts).replace("( ", "(").replace(" )", ")").replace(" ,", ",")
    return Udt(kind, _spatial_bytes(shown, srid), shown, srid)


def _spatial_error(kind: str, text: str) -> SqlError:
    return _clr_error(kind, f"24114: The label {text[:20]} in the input well-known text (WKT) is not valid.")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _spatial_bytes(text: str, srid: int) -> bytes:
    head = struct.pack("<i", srid) + b"\x01"
    match = re.fullmatch(r"POINT \(([^()]*)\)", text)
    if match and len(match[1].split()) in (2, 3, 4):
        numbers = [float("nan") if n == "NULL" else float(n) for n in match[1].split()]
        flags = 0x0C | (len(numbers) > 2 and match[1].split()[2] != "NULL") | 2 * (len(numbers) > 3)
        kept = numbers[:2] + [n for n in numbers[2:] if n == n]
        return head + bytes([flags]) + struct.pack(f"<{len(kept)}d", *kept)
    return head + b"\x04" + text.encode()


def from_bytes(kind: str, data: bytes) -> Udt:
    if kind == "hierarchyid":
        return Udt(kind, data, _hierarchy_text(data))
    if len(data) < 6:
        raise _clr_error(kind, "24210: Invalid format.")
    srid, flags, rest = struct.unpack("<i", data[:4])[0], data[5], data[6:]
    if flags & 8:
        numbers = struct.unpack(f"<{len(rest) // 8}d", rest[: len(rest) // 8 * 8])
        shown = [_number(n) for n in numbers]
        if flags & 2 and not flags & 1:
            shown.insert(2, "NULL")
        return Udt(kind, data, f"POINT ({' '.join(shown)})", srid)
    return Udt(kind, data, rest.decode("utf-8", "replace"), srid)


_POSITION = re.compile(r"(-?[\d.]+(?:[eE][-+]?\d+)?) (-?[\d.]+(?:[eE][-+]?\d+)?)(?: (?:-?[\d.]+(?:[eE][-+]?\d+)?|NULL))+")


def flat(value: Udt) -> str:
    """The well-known text without Z and M, as STAsText gives it."""
    return _POSITION.sub(r"\1 \2", value.text)


def coordinates(value: Udt) -> list[str]:
    """A point's coordinates as text."""
    match = re.fullmatch(r"POINT \(([^()]*)\)", value.text)
    return match[1].split() if match else []
