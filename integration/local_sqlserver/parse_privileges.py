"""GRANT, DENY and REVOKE."""

from __future__ import annotations

from . import statements as s
from .parse_tables import Tables

_CLASSES = {"OBJECT", "SCHEMA", "DATABASE", "LOGIN", "USER", "ROLE", "TYPE", "SERVER"}


class Privileges(Tables):
    """The grammar of privileges."""

    def _grant(self) -> s.Statement:
        return self._privileges()

    def _deny(self) -> s.Statement:
        return self._privileges()

    def _revoke(self) -> s.Statement:
        return self._privileges()

    def _privileges(self) -> s.Grant:
        verb = self.next().word
        if verb == "REVOKE":
            self.take("GRANT", "OPTION", "FOR")
        made = s.Grant(verb, [], [], None, [])
        self.listed(lambda: self._permission(made))
        if self.take("ON"):
            made.securable = self._securable()
        if self.is_op("("):
            made.columns += self.parenthesised(self.identifier)
        if not self.take("TO"):
            self.expect("FROM")
        made.principals = self.listed(self._principal)
        if self.take("WITH", "GRANT", "OPTION") or self.take("CASCADE"):
            pass
        if self.take("AS"):
            self.identifier()
        return made

    def _principal(self) -> str:
        return self.next().text if self.is_word("PUBLIC") else self.identifier()

    def _permission(self, made: s.Grant) -> None:
        words = []
        while self.token.kind == "name" and not self.is_word("ON", "TO", "FROM"):
            words.append(self.next().word)
        if not words:
            raise self.error()
        made.permissions.append(" ".join(words))
        if self.is_op("("):
            made.columns += self.parenthesised(self.identifier)

    def _securable(self) -> tuple[str, tuple[str, ...]]:
        if self.token.word in _CLASSES and self.ahead().text == "::":
            kind = self.next().word
            self.next()
            return kind, self.parts()
        return "OBJECT", self.parts()
