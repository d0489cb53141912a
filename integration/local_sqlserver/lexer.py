"""T-SQL's tokens: names, variables, literals, operators."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .values import SqlError

# https://learn.microsoft.com/sql/t-sql/language-elements/reserved-keywords-transact-sql, but for PRECISION, which is a column
# of sys.columns that everybody writes without brackets.
RESERVED = frozenset(
    """ADD ALL ALTER AND ANY AS ASC AUTHORIZATION BACKUP BEGIN BETWEEN BREAK BROWSE BULK BY CASCADE CASE CHECK CHECKPOINT
    CLOSE CLUSTERED COALESCE COLLATE COLUMN COMMIT COMPUTE CONSTRAINT CONTAINS CONTAINSTABLE CONTINUE CONVERT CREATE CROSS
    CURRENT CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER CURSOR DATABASE DBCC DEALLOCATE DECLARE DEFAULT DELETE
    DENY DESC DISK DISTINCT DISTRIBUTED DOUBLE DROP DUMP ELSE END ERRLVL ESCAPE EXCEPT EXEC EXECUTE EXISTS EXIT EXTERNAL
    FETCH FILE FILLFACTOR FOR FOREIGN FREETEXT FREETEXTTABLE FROM FULL FUNCTION GOTO GRANT GROUP HAVING HOLDLOCK IDENTITY
    IDENTITY_INSERT IDENTITYCOL IF IN INDEX INNER INSERT INTERSECT INTO IS JOIN KEY KILL LEFT LIKE LINENO LOAD MERGE
    NATIONAL NOCHECK NONCLUSTERED NOT NULL NULLIF OF OFF OFFSETS ON OPEN OPENDATASOURCE OPENQUERY OPENROWSET OPENXML OPTION
    OR ORDER OUTER OVER PERCENT PIVOT PLAN PRIMARY PRINT PROC PROCEDURE PUBLIC RAISERROR READ READTEXT
    RECONFIGURE REFERENCES REPLICATION RESTORE RESTRICT RETURN REVERT REVOKE RIGHT ROLLBACK ROWCOUNT ROWGUIDCOL RULE SAVE
    SCHEMA SECURITYAUDIT SELECT SESSION_USER SET SETUSER SHUTDOWN SOME STATISTICS SYSTEM_USER TABLE TABLESAMPLE TEXTSIZE
    THEN TO TOP TRAN TRANSACTION TRIGGER TRUNCATE TRY_CONVERT TSEQUAL UNION UNIQUE UNPIVOT UPDATE UPDATETEXT USE USER VALUES
    VARYING VIEW WAITFOR WHEN WHERE WHILE WITH WITHIN WRITETEXT""".split()
)

# Longer ones first: the first alternative that fits is taken.
_TOKEN = re.compile(
    r"""
    (?P<blank>[\s\u00a0\ufeff]+|--[^\n]*)
  | (?P<comment>/\*)
  | (?P<string>[Nn]?'(?:[^']|'')*')
  | (?P<quoted>"(?:[^"]|"")*"|\[(?:[^\]]|\]\])*\])
  | (?P<binary>0[xX][0-9a-fA-F]*)
  | (?P<float>(?:\d+\.?\d*|\.\d+)[eE][+-]?\d*)
  | (?P<decimal>\d+\.\d*|\.\d+)
  | (?P<integer>\d+)
  | (?P<money>[$£€¥](?:\d+\.?\d*|\.\d+)?)
  | (?P<global>@@[\w$\#@]+)
  | (?P<variable>@[\w$\#@]*)
  | (?P<name>[^\W\d][\w$\#@]*|\#[\w$\#@]+)
  | (?P<operator><=|>=|<>|!=|!<|!>|\+=|-=|\*=|/=|%=|&=|\|=|\^=|::|[-+*/%&|^~=<>(),.;:?])
    """,
    re.VERBOSE,
)
# https://learn.microsoft.com/sql/t-sql/language-elements/sql-server-utilities-statements-backslash
_CONTINUED = re.compile(r"\\\r?\n")


@dataclass(frozen=True, slots=True)
class Token:
    """`kind`: name, quoted, string, nstring, integer, decimal, float, money, binary, variable, global, operator, end.
    `word` is a name in upper case, for comparison with keywords; empty for whatever is no plain name."""

    kind: str
    text: str
    word: str
    start: int
    end: int

    @property
    def reserved(self) -> bool:
        return self.kind == "name" and self.word in RESERVED


def tokens(text: str) -> list[Token]:
    """The tokens of a batch; errors 102, 103, 105 and 113 where there is none."""
    result, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _no_token(text, position)
        kind, end = match.lastgroup, match.end()
        if kind == "comment":
            position = _comment_end(text, position)
            continue
        if kind != "blank":
            result.append(_token(kind, match.group(), position, end))
        position = end
    result.append(Token("end", "", "", len(text), len(text)))
    return result


def _token(kind: str, written: str, start: int, end: int) -> Token:
    word = ""
    if kind == "string":
        if written[0] in "Nn":
            kind, written = "nstring", written[1:]
        written = _CONTINUED.sub("", written[1:-1].replace("''", "'"))
    elif kind == "quoted":
        closing = written[-1]
        written = written[1:-1].replace(closing * 2, closing)
        if len(written.encode("utf-16-le", "surrogatepass")) > 256:
            raise SqlError(103, f"The identifier that starts with '{written[:128]}' is too long. Maximum length is 128.", 15, 4)
        if not written:
            raise SqlError(1038, "An object or column name is missing or empty.", 15, 4)
    elif kind == "name":
        word = written.upper()
    return Token(kind, written, word, start, end)


def _comment_end(text: str, start: int) -> int:
    """Comments nest: https://learn.microsoft.com/sql/t-sql/language-elements/slash-star-comment-transact-sql"""
    depth = 0
    for match in re.compile(r"/\*|\*/").finditer(text, start):
        depth += 1 if match.group() == "/*" else -1
        if depth == 0:
            return match.end()
    raise SqlError(113, "Missing end comment mark '*/'.", 15)


def _no_token(text: str, position: int) -> SqlError:
    if text[position] in "'\"" or text[position : position + 2] in ("N'", "n'"):
        shown = text[position + 1 : position + 128]
        return SqlError(105, f"Unclosed quotation mark after the character string '{shown}'.", 15)
    if text[position] == "[":
        return SqlError(105, f"Unclosed quotation mark after the character string '{text[position + 1 : position + 128]}'.", 15)
    return SqlError(102, f"Incorrect syntax near '{text[position]}'.", 15)
