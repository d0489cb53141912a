"""Object names: Snowflake's rules on top of DuckDB's.

Snowflake tells "Db" from DB and allows any character in a quoted name. DuckDB folds case, and fakesnow
pastes database and schema names into SQL and file names as they are. So every database, schema and stage
name that is not plain upper case is kept under a reversible upper-case alias (QX_ and the hex of its UTF-8
bytes), which is turned back wherever a name is shown.
"""

from __future__ import annotations

import re

PREFIX = "QX_"
_PLAIN = re.compile(r"[A-Z_][A-Z0-9_$]*\Z")
_ALIAS = re.compile(r"QX_((?:[0-9A-F]{2})+)(?![0-9A-Za-z_])")
# Names that DuckDB or fakesnow give a meaning of their own.
_TAKEN = {"MAIN", "MEMORY", "SYSTEM", "TEMP", "PG_CATALOG", "_FS_GLOBAL", "_FS_INFORMATION_SCHEMA"}


# Every word of DuckDB's grammar: Snowflake takes most of them (AT, OFFSET) as bare column names.
KEYWORDS: set[str] = set()


def learn_keywords(words: list[tuple[str, str]]) -> None:
    """DuckDB's words and their categories; the reserved ones cannot be a bare database or schema name."""
    KEYWORDS.update(word.upper() for word, _ in words)
    _TAKEN.update(word.upper() for word, category in words if category == "reserved")


def encode(name: str) -> str:
    if name in _TAKEN or name.startswith(PREFIX) or not _PLAIN.match(name):
        return PREFIX + name.encode().hex().upper()
    return name


def decode(text: str) -> str:
    """Turn every alias inside `text` back into the name it stands for."""
    return _ALIAS.sub(lambda m: bytes.fromhex(m[1]).decode(errors="replace"), text)


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


_PART = re.compile(r'"((?:[^"]|"")*)"|([\w$]+)', re.UNICODE)


def read_name(text: str, start: int) -> tuple[list[str], int]:
    """Read a dotted object name at `start`: its parts as Snowflake knows them, and where it ends."""
    parts: list[str] = []
    position = start
    while match := _PART.match(text, position):
        parts.append(match[1].replace('""', '"') if match[1] is not None else match[2].upper())
        position = match.end()
        if position < len(text) and text[position] == ".":
            position += 1
        else:
            break
    return parts, position
