"""CREATE TABLE and ALTER TABLE."""

from __future__ import annotations

from . import nodes as n
from . import statements as s
from .parse_queries import Queries


class Tables(Queries):
    """The grammar of tables."""

    def _create_table(self) -> s.CreateTable:
        made = s.CreateTable(self.parts(), [], [], [])
        self.expect_op("(")
        while True:
            self._element(made)
            if not self.take_op(","):
                break
            if self.is_op(")"):
                break
        self.expect_op(")")
        while True:
            if self.take("WITH"):
                self.expect_op("(")
                self.listed(lambda: self._table_option(made.options))
                self.expect_op(")")
            elif self.take("ON") or self.take("TEXTIMAGE_ON"):
                self.identifier()
                if self.is_op("("):
                    self.parenthesised(self.identifier)
            else:
                return made

    def _table_option(self, options: dict) -> None:
        name = self.next().word
        self.expect_op("=")
        options[name] = self.next().text.upper()
        if name == "SYSTEM_VERSIONING" and self.take_op("("):
            self.expect("HISTORY_TABLE")
            self.expect_op("=")
            options["HISTORY_TABLE"] = self.parts()
            while not self.take_op(")"):
                if self.next().kind == "end":
                    raise self.error()

    def _element(self, made: s.CreateTable) -> None:
        if self.take("PERIOD", "FOR", "SYSTEM_TIME"):
            start, end = self.parenthesised(self.identifier)
            made.period = (start, end)
        elif self.is_word("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"):
            made.constraints.append(self._constraint(self._constraint_name(), None))
        elif self.is_word("INDEX"):
            made.indexes.append(self._inline_index(None))
        else:
            made.columns.append(self._column(made))

    def _constraint_name(self) -> str | None:
        return self.identifier() if self.take("CONSTRAINT") else None

    def _ordered_column(self) -> tuple[str, bool]:
        name = self.identifier()
        descending = self.take("DESC")
        if not descending:
            self.take("ASC")
        return name, descending

    def _inline_index(self, column: str | None) -> s.IndexDefinition:
        self.expect("INDEX")
        index = s.IndexDefinition(self.identifier(), [(column, False)] if column else [])
        index.unique = self.take("UNIQUE")
        index.clustered = self.take("CLUSTERED")
        if not index.clustered:
            self.take("NONCLUSTERED")
        index.columnstore = self.take("COLUMNSTORE")
        if self.take("HASH"):
            pass
        if self.is_op("("):
            index.columns = self.parenthesised(self._ordered_column)
        self._index_options()
        return index

    def _index_options(self) -> None:
        if self.is_word("WITH") and self.ahead().text == "(":
            self.next()
            self.expect_op("(")
            while not self.take_op(")"):
                if self.next().kind == "end":
                    raise self.error()
        elif self.is_word("WITH") and self.ahead().word == "FILLFACTOR":
            self.at += 4
        if self.is_word("ON") and self.ahead().kind in ("name", "quoted"):
            self.next()
            self.identifier()

    def _constraint(self, name: str | None, column: str | None) -> s.Constraint:
        if self.take("CHECK"):
            self.take("NOT", "FOR", "REPLICATION")
            start = self.token.start
            self.expect_op("(")
            condition = self.condition()
            self.expect_op(")")
            return s.Constraint("check", name, condition=condition, text=self.text[start : self.tokens[self.at - 1].end])
        if self.take("FOREIGN", "KEY") or (column and self.is_word("REFERENCES")):
            made = s.Constraint("foreign key", name)
            made.columns = [(column, False)] if column else [(c, False) for c in self.parenthesised(self.identifier)]
            self.expect("REFERENCES")
            made.reference = (self.parts(), self.parenthesised(self.identifier) if self.is_op("(") else [])
            while self.take("ON"):
                self.next()
                if self.next().word in ("NO", "SET"):
                    self.next()
            return made
        if self.take("PRIMARY", "KEY"):
            made = s.Constraint("primary key", name)
        else:
            self.expect("UNIQUE")
            made = s.Constraint("unique", name)
        if self.take("CLUSTERED"):
            made.clustered = True
        elif self.take("NONCLUSTERED"):
            made.clustered = False
        self.take("HASH")
        if self.is_op("(") :
            made.columns = self.parenthesised(self._ordered_column)
        elif column:
            made.columns = [(column, False)]
        self._index_options()
        return made

    def _column(self, made: s.CreateTable | s.AlterTable) -> s.ColumnDefinition:
        column = s.ColumnDefinition(self.identifier())
        if self.take("AS"):
            start = self.token.start
            column.computed = self.expression()
            column.computed_text = self.text[start : self.tokens[self.at - 1].end]
            if not column.computed_text.startswith("("):
                column.computed_text = f"({column.computed_text})"
        elif self.token.word in ("TIMESTAMP", "ROWVERSION") or self.token.kind in ("name", "quoted"):
            column.type = self.type_name()
        while self._column_property(column, made):
            pass
        return column

    def _column_property(self, column: s.ColumnDefinition, made: s.CreateTable | s.AlterTable) -> bool:
        if self.take("NOT", "NULL"):
            column.nullable = False
        elif self.take("NULL"):
            column.nullable = True
        elif self.take("COLLATE"):
            column.collation = self.identifier()
        elif self.take("PERSISTED"):
            column.persisted = True
        elif self.take("SPARSE"):
            column.sparse = True
        elif self.take("ROWGUIDCOL"):
            column.row_guid = True
        elif self.take("HIDDEN"):
            column.hidden = True
        elif self.take("COLUMN_SET", "FOR", "ALL_SPARSE_COLUMNS"):
            column.column_set = True
        elif self.take("IDENTITY"):
            column.identity = self._seed()
            self.take("NOT", "FOR", "REPLICATION")
        elif self.take("MASKED", "WITH"):
            self.expect_op("(")
            self.expect("FUNCTION")
            self.expect_op("=")
            column.mask = self.string()
            self.expect_op(")")
        elif self.take("ENCRYPTED", "WITH"):
            self._skip_parenthesis()
            column.encrypted = True
        elif self.take("GENERATED", "ALWAYS", "AS", "ROW"):
            column.generated = self.next().word
            if column.generated not in ("START", "END"):
                raise self.error(self.tokens[self.at - 1])
        elif self.is_word("INDEX") and isinstance(made, s.CreateTable):
            made.indexes.append(self._inline_index(column.name))
        elif self.is_word("CONSTRAINT", "DEFAULT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "REFERENCES"):
            name = self._constraint_name()
            if self.take("DEFAULT"):
                column.default = (name, *self._default())
            elif name and self.take("NOT", "NULL"):
                column.nullable = False
            else:
                made.constraints.append(self._constraint(name, column.name))
        else:
            return False
        return True

    def _skip_parenthesis(self) -> None:
        self.expect_op("(")
        while not self.take_op(")"):
            if self.next().kind == "end":
                raise self.error()

    def _default(self) -> tuple[n.Node, str]:
        start = self.token.start
        expression = self.expression()
        return expression, self.text[start : self.tokens[self.at - 1].end]

    def _seed(self) -> tuple[int, int]:
        if not self.take_op("("):
            return 1, 1
        seed = self._signed()
        self.expect_op(",")
        increment = self._signed()
        self.expect_op(")")
        return seed, increment

    def _signed(self) -> int:
        return -self.number() if self.take_op("-") else self.number()

    def _alter_table(self) -> s.AlterTable:
        made = s.AlterTable(self.parts(), "")
        if self.take("WITH", "CHECK") or self.take("WITH", "NOCHECK"):
            pass
        if self.take("ADD"):
            made.action = "add"
            self.listed(lambda: self._added(made))
        elif self.take("DROP"):
            if self.take("COLUMN"):
                made.action = "drop column"
            else:
                self.take("CONSTRAINT")
                made.action = "drop constraint"
            self.take("IF", "EXISTS")
            made.names = self.listed(self.identifier)
        elif self.take("ALTER", "COLUMN"):
            made.action = "alter column"
            name = self.identifier()
            if self.take("ADD", "MASKED", "WITH"):
                made.action = "mask"
                self.at -= 2
                column = s.ColumnDefinition(name)
                self._column_property(column, made)
            elif self.take("DROP", "MASKED"):
                made.action = "mask"
                column = s.ColumnDefinition(name)
            else:
                column = s.ColumnDefinition(name, self.type_name())
                while self._column_property(column, made):
                    pass
            made.columns = [column]
        elif self.is_word("CHECK", "NOCHECK", "ENABLE", "DISABLE"):
            made.action = self.next().word.lower()
            self.expect("CONSTRAINT")
            made.names = [self.next().text]
        elif self.take("SET"):
            made.action = "set"
            self.expect_op("(")
            options: dict = {}
            self.listed(lambda: self._table_option(options))
            self.expect_op(")")
            made.names = [f"{name}={value}" for name, value in options.items()]
        elif self.take("REBUILD"):
            made.action = "rebuild"
        else:
            raise self.error()
        return made

    def _added(self, made: s.AlterTable) -> None:
        if self.is_word("CONSTRAINT") or self.is_word("PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "DEFAULT"):
            name = self._constraint_name()
            if self.take("DEFAULT"):
                expression, text = self._default()
                self.expect("FOR")
                column = self.identifier()
                made.constraints.append(s.Constraint("default", name, [(column, False)], condition=expression, text=text))
            else:
                made.constraints.append(self._constraint(name, None))
        else:
            made.columns.append(self._column(made))
            self.take("WITH", "VALUES")
