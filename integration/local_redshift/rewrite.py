"""What a statement of a client becomes on its way to the PostgreSQL that plays Redshift."""

from __future__ import annotations

from .refusals import Refusal, refusal
from .tokens import Token, statements

VERSION = "8.0.2"


def _dollar_quoted(text: str) -> str:
    tag = "text"
    while f"${tag}$" in text:
        tag += "_"
    return f"${tag}${text}${tag}$"


def raising(refused: Refusal) -> str:
    """A statement that fails as Redshift fails, within the session and its transaction."""
    options = {"ERRCODE": f"'{refused.code}'", "MESSAGE": _dollar_quoted(refused.message)}
    if refused.hint is not None:
        options["HINT"] = _dollar_quoted(refused.hint)
    using = ", ".join(f"{name} = {value}" for name, value in options.items())
    return f"DO $refused$ BEGIN RAISE EXCEPTION USING {using}; END $refused$"


class Session:
    """The statements of one session, one message after the other."""

    def __init__(self) -> None:
        self.cursors: set[str] = set()

    def rewrite(self, sql: str, in_transaction: bool) -> str:
        """The message for the server. Cursors end with the transaction that they were declared in."""
        if not in_transaction:
            self.cursors.clear()
        pieces, place = [], 0
        for statement in statements(sql):
            start, end = statement[0].start, statement[-1].end
            replaced = self._statement(sql, statement)
            if replaced is not None:
                pieces += [sql[place:start], replaced]
                place = end
        # As it was, unless something had to change.
        return "".join([*pieces, sql[place:]]) if pieces else sql

    def _statement(self, sql: str, statement: list[Token]) -> str | None:
        refused = refusal(statement, self.cursors)
        if refused is not None:
            return raising(refused)
        first = statement[0]
        if first.is_word("declare"):
            self.cursors.add(statement[1].name or "")
        elif first.is_word("close"):
            self.cursors.discard(statement[1].name or "")
        elif first.is_word("commit", "end", "rollback", "abort"):
            self.cursors.clear()
        elif first.is_word("show") and len(statement) == 2 and statement[1].name == "server_version":
            return f"SELECT '{VERSION}' AS server_version"
        elif first.is_word("explain") and len(statement) > 1:
            query = statement[2 if statement[1].is_word("verbose") else 1 :]
            if query:
                text = self._calls(sql, query) or sql[query[0].start : query[-1].end]
                return f'SELECT line AS "QUERY PLAN" FROM pg_redshift.explain({_dollar_quoted(text)}) AS line'
        return self._calls(sql, statement)

    def _calls(self, sql: str, statement: list[Token]) -> str | None:
        """With `version()` of Redshift instead of PostgreSQL's."""
        pieces, place = [], statement[0].start
        for before, token, opening in zip([None, *statement], statement, statement[1:], strict=False):
            qualifies = before is not None and before.text == "."
            if token.is_word("version") and opening.text == "(" and not qualifies:
                pieces += [sql[place : token.start], "pg_redshift."]
                place = token.start
        return "".join([*pieces, sql[place : statement[-1].end]]) if pieces else None
