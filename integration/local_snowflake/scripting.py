"""Snowflake Scripting, as far as stored procedures of a few statements need it.

DECLARE name TYPE; BEGIN … EXCEPTION WHEN OTHER THEN … END; IF, RETURN, RAISE, `name := expression`, SELECT … INTO, and
any statement of SQL, in which `:name` is a variable. Everything else is refused when the procedure is created.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from .errors import SnowflakeError, not_emulated, syntax, translate

if TYPE_CHECKING:
    from .session import Session

_SKIP = re.compile(r"(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/)+", re.DOTALL)
_QUOTED = re.compile(r"'(?:[^'\\]|''|\\.)*'|\"(?:[^\"]|\"\")*\"", re.DOTALL)
_WORD = re.compile(r"[A-Za-z_][\w$]*")
_INTO = re.compile(r"\bINTO\s+((?::\w+\s*,\s*)*:\w+)", re.IGNORECASE)
_UNKNOWN = {"LOOP", "FOR", "WHILE", "REPEAT", "CASE", "LET", "OPEN", "FETCH", "CLOSE", "BREAK", "CONTINUE", "AWAIT", "ASYNC", "CANCEL"}
_ENDS = {"END", "ELSE", "ELSEIF", "EXCEPTION", "WHEN"}


@dataclass
class Sql:
    text: str
    into: list[str] = field(default_factory=list)


@dataclass
class Assign:
    name: str
    value: str


@dataclass
class If:
    arms: list[tuple[str, list[Any]]]
    otherwise: list[Any]


@dataclass
class Return:
    value: str


class Raise:
    pass


@dataclass
class Block:
    variables: list[str]
    body: list[Any]
    handler: list[Any] | None


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def skip(self) -> None:
        if match := _SKIP.match(self.text, self.at):
            self.at = match.end()

    def peek(self) -> str:
        self.skip()
        match = _WORD.match(self.text, self.at)
        return match[0].upper() if match else ""

    def take(self, word: str) -> bool:
        if self.peek() != word:
            return False
        self.at += len(word)
        return True

    def expect(self, word: str) -> None:
        if not self.take(word):
            raise syntax(f"syntax error at '{self.text[self.at : self.at + 20]}': expected {word}.")

    def until(self, stop: str) -> str:
        """The text up to a character outside of quotes and parentheses, which is taken too."""
        self.skip()
        start, depth = self.at, 0
        while self.at < len(self.text):
            c = self.text[self.at]
            if match := _QUOTED.match(self.text, self.at) or (_SKIP.match(self.text, self.at)):
                self.at = match.end()
                continue
            if depth == 0 and c == stop:
                self.at += 1
                return self.text[start : self.at - 1].strip()
            depth += (c == "(") - (c == ")")
            self.at += 1
        raise syntax(f"syntax error: unexpected end, expected '{stop}'.")

    def block(self) -> Block:
        variables = []
        if self.take("DECLARE"):
            while self.peek() != "BEGIN":
                declaration = self.until(";")
                if not (match := re.fullmatch(r"(\w+)\s+[A-Z]+(\s*\([\d\s,]+\))?", declaration, re.IGNORECASE)):
                    raise not_emulated(f"the declaration {declaration!r}")
                variables.append(match[1].upper())
        self.expect("BEGIN")
        body, handler = self.statements(), None
        if self.take("EXCEPTION"):
            for word in ("WHEN", "OTHER", "THEN"):
                self.expect(word)
            handler = self.statements()
        self.expect("END")
        self.skip()
        if self.text[self.at :].strip() not in ("", ";"):
            raise syntax(f"syntax error at '{self.text[self.at : self.at + 20]}'.")
        return Block(variables, body, handler)

    def statements(self) -> list[Any]:
        found = []
        while (word := self.peek()) not in _ENDS:
            if word in _UNKNOWN or not word:
                raise not_emulated(f"{word or self.text[self.at : self.at + 20]} in a procedure")
            found.append(self.statement(word))
        return found

    def condition(self) -> str:
        self.skip()
        if self.text[self.at : self.at + 1] != "(":
            raise syntax("syntax error: expected '(' after IF.")
        self.at += 1
        condition = self.until(")")
        self.expect("THEN")
        return condition

    def statement(self, word: str) -> Any:
        if self.take("IF"):
            arms, otherwise = [(self.condition(), self.statements())], []
            while self.take("ELSEIF"):
                arms.append((self.condition(), self.statements()))
            if self.take("ELSE"):
                otherwise = self.statements()
            self.expect("END")
            self.expect("IF")
            self.until(";")
            return If(arms, otherwise)
        text = self.until(";")
        if word == "RETURN":
            return Return(text[len("RETURN") :].strip())
        if word == "RAISE":
            return Raise()
        if match := re.match(r"(\w+)\s*:=\s*", text):
            return Assign(match[1].upper(), text[match.end() :])
        if word == "BEGIN" and not re.fullmatch(r"BEGIN\s+(TRANSACTION|WORK)", text, re.IGNORECASE):
            raise not_emulated("a block inside a block")
        if word == "SELECT" and (match := _INTO.search(text)):
            names = [name.strip().lstrip(":").upper() for name in match[1].split(",")]
            return Sql(text[: match.start()] + text[match.end() :], names)
        return Sql(text)


def parse(body: str) -> Block:
    return _Parser(body).block()


def literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, (int, float, Decimal)):
        return f"({value})" if value < 0 else str(value)
    return "'" + str(value).replace("\\", "\\\\").replace("'", "''") + "'"


def _replaced(text: str, variables: dict[str, Any], *, bare: bool) -> str:
    """`text` with values in the place of `:name` and, in expressions, of `name`."""
    pieces, at = [], 0
    while at < len(text):
        if match := _QUOTED.match(text, at):
            pieces.append(match[0])
        elif match := re.compile(r"(?<!:):(\w+)").match(text, at):
            name = match[1].upper()
            if name not in variables:
                raise SnowflakeError("000904", f"SQL compilation error:\ninvalid identifier '{match[1]}'", "42000")
            pieces.append(literal(variables[name]))
        elif match := _WORD.match(text, at):
            is_variable = bare and match[0].upper() in variables and text[at - 1 : at] != "."
            pieces.append(literal(variables[match[0].upper()]) if is_variable else match[0])
        else:
            match = None
            pieces.append(text[at])
        at = match.end() if match else at + 1
    return "".join(pieces)


class _Returned(Exception):
    def __init__(self, value: Any) -> None:
        self.value = value


class _Run:
    def __init__(self, session: Session, variables: dict[str, Any], query_id: str) -> None:
        self.session, self.query_id = session, query_id
        self.variables = {**variables, "SQLROWCOUNT": None, "SQLERRM": None}

    def execute(self, sql: str) -> Any:
        return self.session._execute(sql, None, self.query_id, "")

    def value(self, expression: str) -> Any:
        answer = self.execute("SELECT " + _replaced(expression, self.variables, bare=True))
        return answer.table.column(0)[0].as_py()

    def run(self, statements: list[Any]) -> None:
        for statement in statements:
            match statement:
                case Return(value):
                    raise _Returned(self.value(value))
                case Assign(name, value):
                    self.set(name, self.value(value))
                case If(arms, otherwise):
                    chosen = next((body for condition, body in arms if self.value(condition)), otherwise)
                    self.run(chosen)
                case Sql(text, into):
                    self.sql(text, into)
                case Raise():
                    raise self.failure

    def set(self, name: str, value: Any) -> None:
        if name not in self.variables:
            raise SnowflakeError("000904", f"SQL compilation error:\ninvalid identifier '{name}'", "42000")
        self.variables[name] = value

    def sql(self, text: str, into: list[str]) -> None:
        answer = self.execute(_replaced(text, self.variables, bare=False))
        if into:
            if answer.table.num_rows != 1 or answer.table.num_columns != len(into):
                raise SnowflakeError("002100", f"a SELECT INTO of {answer.table.num_rows} rows; one is expected", "P0000")
            for name, column in zip(into, answer.table.columns, strict=True):
                self.set(name, column[0].as_py())
        elif answer.is_dml:
            self.variables["SQLROWCOUNT"] = int(answer.table.column(0)[0].as_py())

    def block(self, block: Block) -> Any:
        self.variables |= dict.fromkeys(block.variables)
        try:
            self.run(block.body)
        except _Returned as returned:
            return returned.value
        except Exception as error:
            if block.handler is None:
                raise
            self.failure = translate(error)
            self.variables["SQLERRM"] = self.failure.message
            try:
                self.run(block.handler)
            except _Returned as returned:
                return returned.value
        return None


def run(session: Session, block: Block, variables: dict[str, Any], query_id: str) -> Any:
    """What the procedure returns. A transaction that it begins ends with it."""
    if session.transaction:
        raise not_emulated("a CALL inside of a transaction")
    try:
        value = _Run(session, variables, query_id).block(block)
    except BaseException:
        session.end_transaction()
        raise
    if session.transaction:
        session.end_transaction()
        raise SnowflakeError(
            "090232",
            "Stored procedure execution error: Scoped transaction started in stored procedure is incomplete and it was rolled back.",
            "22000",
        )
    return value
