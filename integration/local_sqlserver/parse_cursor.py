"""A cursor over the tokens of a batch."""

from __future__ import annotations

from . import nodes as n
from .lexer import RESERVED, Token, tokens
from .values import SqlError


class Cursor:
    """Reads tokens one after another; errors name the one that does not fit."""

    def __init__(self, text: str):
        self.text, self.tokens, self.at = text, tokens(text), 0
        self.case_level, self.depth = 0, 0

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def ahead(self, count: int = 1) -> Token:
        return self.tokens[min(self.at + count, len(self.tokens) - 1)]

    def next(self) -> Token:
        token = self.tokens[self.at]
        if token.kind != "end":
            self.at += 1
        return token

    def error(self, token: Token | None = None) -> SqlError:
        token = token or self.token
        if token.kind == "end":
            token = self.tokens[max(self.at - 1, 0)]
        if token.reserved:
            return SqlError(156, f"Incorrect syntax near the keyword '{token.text}'.", 15)
        return SqlError(102, f"Incorrect syntax near '{token.text}'.", 15)

    def is_word(self, *words: str) -> bool:
        return self.token.word in words and self.token.word != ""

    def take(self, *words: str) -> bool:
        """Whether these words come next, all of them; then they are read."""
        for index, word in enumerate(words):
            if self.ahead(index).word != word:
                return False
        self.at += len(words)
        return True

    def expect(self, *words: str) -> None:
        for word in words:
            if not self.take(word):
                raise self.error()

    def is_op(self, text: str) -> bool:
        return self.token.kind == "operator" and self.token.text == text

    def take_op(self, text: str) -> bool:
        if self.is_op(text):
            self.at += 1
            return True
        return False

    def expect_op(self, text: str) -> None:
        if not self.take_op(text):
            raise self.error()

    def identifier(self) -> str:
        token = self.token
        if token.kind == "quoted" or (token.kind == "name" and token.word not in RESERVED):
            return self.next().text
        raise self.error()

    def parts(self) -> n.Parts:
        """A name of up to four parts; parts between may be left out (`db..t`)."""
        names = [self.identifier()]
        while self.take_op("."):
            names.append("" if self.is_op(".") else self.identifier())
        if len(names) > 4:
            raise SqlError(117, f"The object name '{'.'.join(names)}' contains more than the maximum number of prefixes. The maximum is 3.", 15)
        return tuple(names)

    def listed(self, one) -> list:
        items = [one()]
        while self.take_op(","):
            items.append(one())
        return items

    def parenthesised(self, one) -> list:
        self.expect_op("(")
        items = self.listed(one)
        self.expect_op(")")
        return items

    def number(self) -> int:
        if self.token.kind != "integer":
            raise self.error()
        return int(self.next().text)

    def string(self) -> str:
        if self.token.kind not in ("string", "nstring"):
            raise self.error()
        return self.next().text
