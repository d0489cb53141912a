"""Batches and statements, but for definitions of objects."""

from __future__ import annotations

from . import nodes as n
from . import statements as s
from .parse_definitions import Definitions
from .values import SqlError


class Parser(Definitions):
    """The grammar of batches."""

    def batch(self) -> list[s.Statement]:
        found = self._statements(lambda: self.token.kind == "end")
        if self.token.kind != "end":
            raise self.error()
        return found

    def _statements(self, at_end) -> list[s.Statement]:
        found: list[s.Statement] = []
        separated = True
        while True:
            while self.take_op(";"):
                separated = True
            if at_end():
                return found
            if self.is_word("WITH") and not separated:
                raise SqlError(
                    319,
                    "Incorrect syntax near the keyword 'with'. If this statement is a common table expression, an xmlnamespaces"
                    " clause or a change tracking context clause, the previous statement must be terminated with a semicolon.",
                    15,
                )
            found.append(self.statement())
            separated = False

    def statement(self) -> s.Statement:
        token = self.token
        line = self.text.count("\n", 0, token.start) + 1
        word = {"SELECT": "query", "EXECUTE": "exec"}.get(token.word, token.word.lower())
        parse = getattr(self, f"_{word}", None) if token.word in _STARTS else None
        if parse is None:
            if self.is_op("("):
                made = s.QueryStatement(self.query(top_level=True))
            elif self.at == 0 and token.kind in ("name", "quoted") and not token.reserved:
                made = self._call_of_procedure()
            else:
                raise self.error()
        else:
            made = self._deeper(parse)
        made.line = line
        return made

    def _query(self) -> s.Statement:
        return s.QueryStatement(self.query(top_level=True))

    def _with(self) -> s.Statement:
        start = self.at
        ctes = self.ctes()
        if self.is_word("INSERT", "UPDATE", "DELETE"):
            made = getattr(self, f"_{self.token.word.lower()}")()
            made.ctes = ctes
            return made
        self.at = start
        return self._query()

    # Data

    def _output(self) -> list[n.Item] | None:
        return self.listed(self._item) if self.take("OUTPUT") else None

    def _insert(self) -> s.Statement:
        self.expect("INSERT")
        self.take("INTO")
        table = n.Table(self.parts())
        if self.is_word("WITH") and self.ahead().text == "(":
            self.next()
            table.hints = self.table_hints()
        columns = None
        if self.is_op("(") and self.ahead().word not in ("SELECT", "WITH"):
            columns = self.parenthesised(self.identifier)
        output = self._output()
        if self.take("DEFAULT", "VALUES"):
            return s.Insert(table, columns, None, output)
        if self.take("VALUES"):
            return s.Insert(table, columns, self.listed(lambda: self.parenthesised(self.expression)), output)
        if self.is_word("EXEC", "EXECUTE"):
            return s.Insert(table, columns, self._exec(), output)
        return s.Insert(table, columns, self.query(top_level=True), output)

    def _top(self) -> n.Node:
        top = None
        if self.take("TOP"):
            self.expect_op("(")
            top = self.expression()
            self.expect_op(")")
        return top

    def _update(self) -> s.Statement:
        self.expect("UPDATE")
        if self.take("STATISTICS"):
            return self._ignored("UPDATE STATISTICS")
        top = self._top()
        table = n.Table(self.parts())
        if self.is_word("WITH"):
            self.next()
            table.hints = self.table_hints()
        self.expect("SET")
        changes = self.listed(self._change)
        made = s.Update(table, changes, top=top, output=self._output())
        if self.take("FROM"):
            made.source = self.from_clause()
        if self.take("WHERE"):
            made.where = self.condition()
        return made

    def _change(self) -> tuple[str, n.Node]:
        if self.token.kind == "variable":
            name = self.next().text
            self.expect_op("=")
            return name, self.expression()
        parts = self.parts()
        operator = self.next().text
        value = self.expression()
        if operator == "=":
            return parts[-1], value
        if operator not in ("+=", "-=", "*=", "/=", "%=", "&=", "|=", "^="):
            raise self.error(self.tokens[self.at - 1])
        return parts[-1], n.Binary(operator[0], n.Name(parts), value)

    def _delete(self) -> s.Statement:
        self.expect("DELETE")
        top = self._top()
        self.take("FROM")
        table = n.Table(self.parts())
        if self.is_word("WITH"):
            self.next()
            table.hints = self.table_hints()
        made = s.Delete(table, top=top, output=self._output())
        if self.take("FROM"):
            made.source = self.from_clause()
        if self.take("WHERE"):
            made.where = self.condition()
        return made

    def _truncate(self) -> s.Statement:
        self.expect("TRUNCATE", "TABLE")
        return s.Truncate(self.parts())

    # Flow

    def _begin(self) -> s.Statement:
        self.expect("BEGIN")
        if self.take("TRY"):
            body = self._statements(lambda: self.is_word("END") or self.token.kind == "end")
            self.expect("END", "TRY")
            self.take_op(";")
            self.expect("BEGIN", "CATCH")
            handler = self._statements(lambda: self.is_word("END") or self.token.kind == "end")
            self.expect("END", "CATCH")
            return s.Try(body, handler)
        if self.take("TRAN") or self.take("TRANSACTION"):
            return s.Transaction("BEGIN", self._transaction_name())
        body = self._statements(lambda: self.is_word("END") or self.token.kind == "end")
        if not body:
            raise self.error()
        self.expect("END")
        return s.Block(body)

    def _transaction_name(self) -> str | None:
        token = self.token
        if token.kind == "variable" or token.kind == "quoted" or (token.kind == "name" and not token.reserved):
            if token.word in _STARTS:
                return None
            return self.next().text
        return None

    def _commit(self) -> s.Statement:
        self.expect("COMMIT")
        if self.take("TRAN") or self.take("TRANSACTION"):
            return s.Transaction("COMMIT", self._transaction_name())
        self.take("WORK")
        return s.Transaction("COMMIT")

    def _rollback(self) -> s.Statement:
        self.expect("ROLLBACK")
        if self.take("TRAN") or self.take("TRANSACTION"):
            return s.Transaction("ROLLBACK", self._transaction_name())
        self.take("WORK")
        return s.Transaction("ROLLBACK")

    def _save(self) -> s.Statement:
        self.expect("SAVE")
        if not self.take("TRAN"):
            self.expect("TRANSACTION")
        name = self._transaction_name()
        if name is None:
            raise self.error()
        return s.Transaction("SAVE", name)

    def _if(self) -> s.Statement:
        self.expect("IF")
        condition = self.condition()
        then = self.statement()
        if self.is_op(";") and self.ahead().word == "ELSE":
            self.next()
        return s.If(condition, then, self.statement() if self.take("ELSE") else None)

    def _while(self) -> s.Statement:
        self.expect("WHILE")
        condition = self.condition()
        return s.While(condition, self.statement())

    def _break(self) -> s.Statement:
        return s.Jump(self.next().word)

    def _continue(self) -> s.Statement:
        return s.Jump(self.next().word)

    def _return(self) -> s.Statement:
        self.next()
        if self.token.kind == "integer" or self.is_op("-"):
            self.expression()
        return s.Jump("RETURN")

    def _print(self) -> s.Statement:
        self.next()
        return s.Print(self.expression())

    def _raiserror(self) -> s.Statement:
        self.next()
        made = s.RaiseError(self.parenthesised(self.expression))
        if self.take("WITH"):
            self.listed(self.identifier)
        return made

    def _throw(self) -> s.Statement:
        self.next()
        if self.token.kind in ("integer", "variable"):
            return s.Throw(self.listed(self.expression))
        return s.Throw([])

    def _waitfor(self) -> s.Statement:
        self.expect("WAITFOR", "DELAY")
        return s.WaitFor(self.expression())

    def _use(self) -> s.Statement:
        self.next()
        return s.Use(self.identifier())

    def _kill(self) -> s.Statement:
        self.next()
        return s.Kill(self.number())

    def _ignored(self, words: str) -> s.Statement:
        while self.token.kind in ("name", "quoted") and self.token.word not in _STARTS or self.is_op("."):
            self.next()
        if self.is_op("("):
            self.parenthesised(self.identifier)
        return s.Statistics(words)

    def _checkpoint(self) -> s.Statement:
        self.next()
        return s.Statistics("CHECKPOINT")

    # Variables and options

    def _declare(self) -> s.Statement:
        self.next()
        return s.Declare(self.listed(self._declaration))

    def _declaration(self) -> tuple[str, n.TypeName, n.Node]:
        if self.token.kind != "variable":
            raise self.error()
        name = self.next().text
        self.take("AS")
        type_name = self.type_name()
        return name, type_name, self.expression() if self.take_op("=") else None

    def _set(self) -> s.Statement:
        self.next()
        if self.token.kind == "variable":
            name = self.next().text
            operator = self.next().text
            value = self.expression()
            if operator in ("+=", "-=", "*=", "/="):
                value = n.Binary(operator[0], n.Variable(name), value)
            elif operator != "=":
                raise self.error(self.tokens[self.at - 1])
            return s.SetVariable(name, value)
        if self.take("TRANSACTION", "ISOLATION", "LEVEL"):
            words = [self.next().word]
            if words[0] in ("READ", "REPEATABLE"):
                words.append(self.next().word)
            level = " ".join(words)
            if level not in _LEVELS:
                raise self.error(self.tokens[self.at - 1])
            return s.SetOption(("ISOLATION",), level)
        if self.take("IDENTITY_INSERT"):
            parts = self.parts()
            return s.SetIdentityInsert(parts, self._on_or_off())
        return self._options()

    def _on_or_off(self) -> bool:
        if self.take("ON"):
            return True
        self.expect("OFF")
        return False

    def _options(self) -> s.Statement:
        names = [self._option_name()]
        while self.take_op(","):
            names.append(self._option_name())
        if self.is_word("ON", "OFF"):
            return s.SetOption(tuple(names), self._on_or_off())
        if names[0] not in _VALUED:
            raise self.error()
        token = self.token
        if self.is_op("-"):
            self.next()
            return s.SetOption(tuple(names), -self.number())
        if token.kind == "integer":
            return s.SetOption(tuple(names), self.number())
        if token.kind == "variable":
            self.next()
            return s.SetOption(tuple(names), n.Variable(token.text))
        if token.kind in ("name", "quoted", "string", "nstring", "binary"):
            return s.SetOption(tuple(names), self.next().text)
        raise self.error()

    def _option_name(self) -> str:
        word = self.next().word
        if word == "STATISTICS":
            return f"STATISTICS {self.next().word}"
        if word not in _VALUED and word not in _SWITCHES:
            raise SqlError(195, f"'{word}' is not a recognized SET option.", 15, 5)
        return word

    # Procedures

    def _exec(self) -> s.Statement:
        self.next()
        if self.is_op("("):
            self.next()
            value = self.expression()
            self.expect_op(")")
            return s.ExecuteText(value)
        if self.token.kind == "variable" and self.ahead().text == "=":
            self.at += 2
        return self._call_of_procedure()

    def _call_of_procedure(self) -> s.Statement:
        parts = self.parts()
        made = s.Execute(parts, [])
        if self.token.kind == "end" or self.is_op(";") or self.token.word in _STARTS:
            return made
        made.arguments = self.listed(self._argument)
        return made

    def _argument(self) -> tuple[str | None, n.Node, bool]:
        name = None
        if self.token.kind == "variable" and self.ahead().text == "=":
            name = self.next().text
            self.next()
        if self.token.kind == "name" and not self.token.reserved:
            value: n.Node = n.Literal("nstring", self.next().text)
        else:
            value = self.expression()
        return name, value, self.take("OUTPUT") or self.take("OUT")


_STARTS = frozenset(
    """SELECT WITH INSERT UPDATE DELETE TRUNCATE BEGIN COMMIT ROLLBACK SAVE IF WHILE BREAK CONTINUE RETURN PRINT RAISERROR THROW
    WAITFOR USE KILL DECLARE SET EXEC EXECUTE CREATE ALTER DROP GRANT DENY REVOKE CHECKPOINT""".split()
)
_LEVELS = {"READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SNAPSHOT", "SERIALIZABLE"}
_VALUED = {
    "LANGUAGE", "DATEFORMAT", "DATEFIRST", "ROWCOUNT", "TEXTSIZE", "LOCK_TIMEOUT", "DEADLOCK_PRIORITY", "CONTEXT_INFO",
    "QUERY_GOVERNOR_COST_LIMIT",
}  # fmt: skip
_SWITCHES = {
    "NOCOUNT", "QUOTED_IDENTIFIER", "ANSI_NULLS", "ANSI_PADDING", "ANSI_WARNINGS", "CONCAT_NULL_YIELDS_NULL", "ARITHABORT",
    "NUMERIC_ROUNDABORT", "XACT_ABORT", "IMPLICIT_TRANSACTIONS", "ANSI_NULL_DFLT_ON", "ANSI_NULL_DFLT_OFF", "ANSI_DEFAULTS",
    "ARITHIGNORE", "FMTONLY", "NOEXEC", "PARSEONLY", "CURSOR_CLOSE_ON_COMMIT", "REMOTE_PROC_TRANSACTIONS", "FORCEPLAN",
    "NO_BROWSETABLE", "SHOWPLAN_TEXT", "SHOWPLAN_ALL", "SHOWPLAN_XML",
}  # fmt: skip
