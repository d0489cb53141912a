"""SQL text cut into tokens and statements, by the rules of Redshift's lexer, which is that of PostgreSQL 8.0."""

from __future__ import annotations

import re
from dataclasses import dataclass

# A backslash escapes in every literal: Redshift has no standard_conforming_strings.
_TOKEN = re.compile(
    r"""
    (?P<space>\s+ | --[^\n]*)
    | (?P<literal>(?:[eEbBxXnN]|[uU]&)?'(?:[^'\\]|''|\\.)*'?)
    | (?P<quoted>"(?:[^"]|"")*"?)
    | (?P<dollar>\$(?P<tag>(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*)?)\$)
    | (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)? | \.\d+(?:[eE][+-]?\d+)?)
    | (?P<word>[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*)
    | (?P<comment>/\*)
    | (?P<sign>:: | <> | [<>!]= | .)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT = re.compile(r"/\*|\*/")


@dataclass(frozen=True)
class Token:
    """A piece of SQL with its place. Words are in lower case, as the server folds them."""

    kind: str
    text: str
    start: int
    end: int

    def is_word(self, *words: str) -> bool:
        return self.kind == "word" and self.text in words

    @property
    def name(self) -> str | None:
        """What it names, if it can name something."""
        if self.kind == "word":
            return self.text
        if self.kind == "quoted":
            return self.text.strip('"').replace('""', '"')
        return None


def _after_comment(sql: str, start: int) -> int:
    depth, place = 1, start + 2
    while depth:
        found = _COMMENT.search(sql, place)
        if found is None:
            return len(sql)
        depth += 1 if found[0] == "/*" else -1
        place = found.end()
    return place


def tokens(sql: str) -> list[Token]:
    """All of them, without blanks and comments."""
    found, place = [], 0
    while place < len(sql):
        match = _TOKEN.match(sql, place)
        if match is None:
            break
        kind, end = match.lastgroup or "sign", match.end()
        if match["dollar"] is not None:
            closing = sql.find(match["dollar"], end)
            kind, end = "literal", len(sql) if closing < 0 else closing + len(match["dollar"])
        elif kind == "comment":
            place = _after_comment(sql, place)
            continue
        if kind != "space":
            text = sql[place:end]
            found.append(Token(kind, text.lower() if kind == "word" else text, place, end))
        place = end
    return found


def statements(sql: str) -> list[list[Token]]:
    """The tokens of each statement, without the semicolons; empty statements are left out."""
    found: list[list[Token]] = [[]]
    for token in tokens(sql):
        if token.kind == "sign" and token.text == ";":
            found.append([])
        else:
            found[-1].append(token)
    return [statement for statement in found if statement]
