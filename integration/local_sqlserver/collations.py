"""Collations: code page, comparison and order of text.

https://learn.microsoft.com/sql/relational-databases/collations/collation-and-unicode-support. The weights of characters are
those of Unicode's decompositions, not Microsoft's tables: letters that differ in case or accent are right, the order of
symbols of rare scripts is not promised.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from .values import Collation, SqlError

_PAGES = {
    "japanese": "cp932", "chinese_prc": "cp936", "chinese_simplified": "cp936", "chinese_taiwan": "cp950",
    "chinese_traditional": "cp950", "chinese_hong_kong": "cp950", "korean": "cp949", "cyrillic": "cp1251", "ukrainian": "cp1251",
    "macedonian": "cp1251", "serbian_cyrillic": "cp1251", "kazakh": "cp1251", "greek": "cp1253", "turkish": "cp1254",
    "azeri": "cp1254", "hebrew": "cp1255", "arabic": "cp1256", "persian": "cp1256", "urdu": "cp1256", "estonian": "cp1257",
    "latvian": "cp1257", "lithuanian": "cp1257", "vietnamese": "cp1258", "thai": "cp874", "polish": "cp1250",
    "czech": "cp1250", "hungarian": "cp1250", "romanian": "cp1250", "slovak": "cp1250", "slovenian": "cp1250",
    "croatian": "cp1250", "albanian": "cp1250", "serbian_latin": "cp1250", "latin1_general": "cp1252", "french": "cp1252",
    "german_phonebook": "cp1252", "finnish_swedish": "cp1252", "danish_norwegian": "cp1252", "danish_greenlandic": "cp1252",
    "modern_spanish": "cp1252", "traditional_spanish": "cp1252", "icelandic": "cp1252", "norwegian": "cp1252", "welsh": "cp1252",
}  # fmt: skip
_SENSITIVITY = re.compile(
    r"(?P<base>.+?)(?:_(?P<bin>BIN2?)|_C(?P<case>[SI])_A(?P<accent>[SI])(?P<kana>_KS)?(?P<width>_WS)?(?P<sc>_SC)?(?P<vss>_VSS)?)"
    r"(?P<utf8>_UTF8)?",
    re.IGNORECASE,
)


def _unmapped_bytes(error: UnicodeError) -> tuple[str, int]:
    """Windows' tables give a byte that stands for nothing the character of the same number."""
    piece = error.object[error.start : error.end]  # type: ignore[union-attr]
    if isinstance(piece, str):
        if len(piece) == 1 and 0x80 <= ord(piece) <= 0x9F:
            return bytes([ord(piece)]), error.end  # type: ignore[return-value]
        return "".join("??" if ord(c) > 0xFFFF else "?" for c in piece), error.end
    return "".join(map(chr, piece)), error.end


codecs.register_error("windows", _unmapped_bytes)


@dataclass(frozen=True)
class Rules:
    """What a collation's name says."""

    name: str
    codec: str
    case: bool
    accent: bool
    kana: bool
    width: bool
    binary: str = ""
    supplementary: bool = False
    utf8: bool = False
    windows: bool = True


@lru_cache(maxsize=None)
def rules(name: str, version: int = 2022) -> Rules:
    """The rules of a collation by its name; error 448 where there is none of that name."""
    match = _SENSITIVITY.fullmatch(name)
    if match is None:
        raise _invalid(name)
    base, utf8 = match["base"].lower(), bool(match["utf8"])
    if base.startswith("sql_"):
        page = re.fullmatch(r"sql_\w+?_cp(\d+)", base)
        if page is None or utf8:
            raise _invalid(name)
        codec = "cp1252" if page[1] == "1" else f"cp{page[1]}"
    else:
        stem = re.sub(r"_(90|100|140|160)$", "", base)
        known = max((p for p in _PAGES if stem.startswith(p)), key=len, default=None)
        if known is None:
            raise _invalid(name)
        codec = _PAGES[known]
    newer = re.search(r"_(100|140|160)$", base)
    if utf8 and (version < 2019 or not newer):
        raise _invalid(name)
    try:
        codecs.lookup(codec)
    except LookupError:
        raise _invalid(name) from None
    binary = (match["bin"] or "").upper()
    return Rules(
        name,
        "utf-8" if utf8 else codec,
        bool(binary) or match["case"].upper() == "S",
        bool(binary) or match["accent"].upper() == "S",
        bool(match["kana"]),
        bool(match["width"]),
        binary,
        bool(match["sc"]) or bool(re.search(r"_(140|160)$", base)) or (utf8 and bool(newer)),
        utf8,
        not base.startswith("sql_"),
    )


def _invalid(name: str) -> SqlError:
    return SqlError(448, f"Invalid collation '{name}'.")


def to_page(text: str, collation: Collation) -> str:
    """The text with `?` for what the collation's code page lacks."""
    if text.isascii():
        return text
    return decode(encode(text, collation), collation)


def encode(text: str, collation: Collation) -> bytes:
    """The bytes of a value of char or varchar."""
    codec = rules(collation.name).codec
    if codec == "utf-8":
        return text.encode("utf-8", "replace")
    return text.encode(codec, "windows")


def decode(data: bytes, collation: Collation) -> str:
    codec = rules(collation.name).codec
    return data.decode(codec, "replace" if codec == "utf-8" else "windows")


# The order of ASCII: blanks, symbols, digits, letters.
_ORDER = " _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789"
_WEIGHTS = {ord(c): 0x40 + i for i, c in enumerate(_ORDER)}
_WEIGHTS |= {ord("a") + i: 0x80 + i for i in range(26)}
_LOWER = {**_WEIGHTS, **{ord("A") + i: 0x80 + i for i in range(26)}}
# The weight of a blank, which shorter values are padded with.
_END = chr(0x40)
_EXPANSIONS = str.maketrans({"ß": "ss", "ẞ": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "þ": "th", "Þ": "TH", "ø": "o\u0338", "Ø": "O\u0338", "ð": "d\u0338", "Ð": "D\u0338", "đ": "d\u0338", "Đ": "D\u0338", "ł": "l\u0338", "Ł": "L\u0338"})  # fmt: skip
_CASES = re.compile("[A-Z]")


def key_function(collation: Collation, wide: bool):
    """A function from text to what orders it; `wide`: nchar, nvarchar. Blanks at the end do not count."""
    return _key_function(collation.name, wide)


@lru_cache(maxsize=None)
def _key_function(name: str, wide: bool):
    found = rules(name)
    if found.binary:
        return _binary_key(found, wide)

    @lru_cache(maxsize=1 << 16)
    def slow(text: str) -> str:
        return _linguistic_key(found, text)

    if found.case:
        return slow

    def key(text: str) -> str:
        if text.isascii():
            return text.rstrip(" ").translate(_LOWER) + _END
        return slow(text)

    return key


def _binary_key(found: Rules, wide: bool):
    if not wide:
        codec = found.codec
        return lambda text: text.rstrip(" ").encode(codec, "replace" if codec == "utf-8" else "windows") + b" "
    if found.binary == "BIN2":
        return lambda text: text.rstrip(" ").encode("utf-16-be", "surrogatepass") + b"\0 "

    def old(text: str) -> bytes:
        data = text.rstrip(" ").encode("utf-16-le", "surrogatepass")
        return data[1:2] + data[:1] + data[2:] + b" \0"

    return old


def _linguistic_key(found: Rules, text: str) -> str:
    text = text.rstrip(" ")
    if not text.isascii():
        if not found.width:
            text = "".join(unicodedata.normalize("NFKC", c) if "\uff01" <= c <= "\uffdc" else c for c in text)
        if not found.kana:
            text = "".join(chr(ord(c) + 0x60) if "\u3041" <= c <= "\u3096" else c for c in text)
        text = unicodedata.normalize("NFD", text.translate(_EXPANSIONS))
    first, second, third = [], [], []
    for c in text:
        if unicodedata.combining(c):
            if second:
                second[-1] += c
            continue
        lower = c.lower()
        first.append(lower)
        second.append("\x01")
        third.append("\x02" if c != lower else "\x01")
    key = "".join(first).translate(_WEIGHTS) + _END
    accents = "".join(second).rstrip("\x01") if found.accent else ""
    cases = "".join(third).rstrip("\x01") if found.case else ""
    if cases:
        return f"{key}\0{accents}\0{cases}"
    return f"{key}\0{accents}" if accents else key


@lru_cache(maxsize=4096)
def like_pattern(pattern: str, escape: str | None, name: str, padded: bool) -> re.Pattern[str]:
    """LIKE as a regular expression: https://learn.microsoft.com/sql/t-sql/language-elements/like-transact-sql"""
    found, out, index = rules(name), [], 0
    while index < len(pattern):
        c = pattern[index]
        index += 1
        if escape and c == escape and index < len(pattern):
            out.append(re.escape(pattern[index]))
            index += 1
        elif c == "%":
            out.append(".*")
        elif c == "_":
            out.append(".")
        elif c == "[" and (end := pattern.find("]", index + 1)) > 0:
            inside = pattern[index:end]
            negated = inside.startswith("^")
            inside = inside[1:] if negated else inside
            if escape:
                inside = inside.replace(escape, "")
            inside = re.sub(r"([\\\[\]^&~|])", r"\\\1", inside)
            out.append(f"[{'^' if negated else ''}{inside}]")
            index = end + 1
        else:
            out.append(re.escape(c))
    text = "".join(out) + (" *" if padded and not pattern.endswith(" ") else "")
    flags = re.DOTALL if found.case else re.DOTALL | re.IGNORECASE
    try:
        return re.compile(text if found.accent else _bare(text), flags)
    except re.error:
        return re.compile("(?!)")


def _bare(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


def like(text: str, pattern: re.Pattern[str], accents: bool) -> bool:
    return pattern.fullmatch(text if accents else _bare(text)) is not None
