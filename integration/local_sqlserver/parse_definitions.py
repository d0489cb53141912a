"""CREATE, ALTER and DROP of objects, but for tables' columns."""

from __future__ import annotations

from . import nodes as n
from . import statements as s
from .parse_privileges import Privileges
from .values import SqlError


class Definitions(Privileges):
    """The grammar of definitions."""

    def _create(self) -> s.Statement:
        start = self.token.start
        self.expect("CREATE")
        replaces = self.take("OR", "ALTER")
        word = self.token.word
        if word in ("UNIQUE", "CLUSTERED", "NONCLUSTERED", "COLUMNSTORE", "INDEX"):
            return self._create_index()
        if word == "STATISTICS":
            return self._create_statistics()
        if word in ("VIEW", "FUNCTION", "PROCEDURE", "PROC"):
            return self._module(start, replaces)
        self.next()
        if word == "TABLE":
            return self._create_table()
        if word == "TYPE":
            parts = self.parts()
            self.expect("FROM")
            base = self.type_name()
            nullable = not self.take("NOT", "NULL")
            if nullable:
                self.take("NULL")
            return s.CreateType(parts, base, nullable)
        if word == "SECURITY":
            self.expect("POLICY")
            return self._security_policy(alters=False)
        if word in ("DATABASE", "SCHEMA", "LOGIN", "USER", "ROLE", "SYNONYM", "SEQUENCE"):
            return self._create_simple(word.lower())
        if word in ("COLUMN", "SERVER") and self.is_word("MASTER", "ENCRYPTION", "ROLE"):
            return self._create_key(word)
        raise SqlError(343, f"Unknown object type '{self.tokens[self.at - 1].text}' used in a CREATE, DROP, or ALTER statement.", 15)

    def _create_key(self, word: str) -> s.Statement:
        """COLUMN MASTER KEY, COLUMN ENCRYPTION KEY, SERVER ROLE: names that columns and logins refer to."""
        words = [word]
        while self.is_word("MASTER", "ENCRYPTION", "ROLE", "KEY"):
            words.append(self.next().word)
        made = s.CreateSimple(" ".join(words).lower(), (self.identifier(),))
        if self.take("WITH"):
            if not self.take("VALUES"):
                self.take("VALUE")
            self._parenthesis_skipped()
        return made

    def _parenthesis_skipped(self) -> None:
        self.expect_op("(")
        depth = 1
        while depth:
            token = self.next()
            if token.kind == "end":
                raise self.error()
            if token.kind == "operator":
                depth += {"(": 1, ")": -1}.get(token.text, 0)

    def _create_simple(self, kind: str) -> s.Statement:
        options: dict = {}
        if kind == "schema" and self.take("AUTHORIZATION"):
            return s.CreateSimple(kind, (self.identifier(),))
        made = s.CreateSimple(kind, self.parts(), options)
        while True:
            if self.take("COLLATE"):
                options["collate"] = self.identifier()
            elif self.take("AUTHORIZATION"):
                options["authorization"] = self.identifier()
            elif kind == "user" and self.take("FOR", "LOGIN") or self.take("FROM", "LOGIN"):
                options["login"] = self.identifier()
            elif self.take("WITHOUT", "LOGIN"):
                options["login"] = None
            elif kind == "synonym" and self.take("FOR"):
                options["for"] = self.parts()
            elif self.is_word("WITH") and kind in ("login", "user"):
                self.next()
                self.listed(lambda: self._principal_option(options))
            else:
                return made

    def _principal_option(self, options: dict) -> None:
        name = self.next().word
        self.expect_op("=")
        if self.token.kind in ("string", "nstring", "binary"):
            options[name.lower()] = self.next().text
            self.take("MUST_CHANGE")
        else:
            options[name.lower()] = self.next().text

    def _create_statistics(self) -> s.Statement:
        self.next()
        self.identifier()
        self.expect("ON")
        self.parts()
        self.parenthesised(self.identifier)
        if self.take("WITH"):
            self.listed(self.identifier)
        return s.Statistics("CREATE STATISTICS")

    def _module(self, start: int, replaces: bool) -> s.CreateModule:
        kind = {"PROC": "procedure"}.get(self.token.word, self.token.word.lower())
        self.next()
        made = s.CreateModule(kind, self.parts(), "", replaces=replaces)
        if kind == "view":
            if self.is_op("("):
                made.columns = self.parenthesised(self.identifier)
            self._module_options()
            self.expect("AS")
            made.query = self.query()
            self.take("WITH", "CHECK", "OPTION")
        elif kind == "function":
            made.parameters = self._parameters(parenthesised=True)
            self.expect("RETURNS")
            if not self.take("TABLE"):
                raise SqlError(102, "Incorrect syntax near 'RETURNS'. Only inline table-valued functions are known here.", 15)
            self._module_options()
            self.take("AS")
            self.expect("RETURN")
            opened = self.is_op("(")
            if opened:
                self.next()
            made.query = self.query()
            if opened:
                self.expect_op(")")
        else:
            made.parameters = self._parameters(parenthesised=self.is_op("("))
            self._module_options()
            self.expect("AS")
            made.body = self._statements(lambda: self.token.kind == "end")
        made.text = self.text[start : self.tokens[self.at - 1].end]
        return made

    def _module_options(self) -> None:
        if self.is_word("WITH"):
            self.next()
            self.listed(self._module_option)

    def _module_option(self) -> None:
        if not self.take("SCHEMABINDING") and not self.take("EXECUTE", "AS", "OWNER"):
            self.identifier()

    def _parameters(self, parenthesised: bool) -> list[tuple[str, n.TypeName]]:
        if parenthesised:
            self.expect_op("(")
        found = []
        while self.token.kind == "variable":
            name = self.next().text
            self.take("AS")
            found.append((name, self.type_name()))
            if self.take_op("="):
                self.expression()
            if not self.take_op(","):
                break
        if parenthesised:
            self.expect_op(")")
        return found

    def _create_index(self) -> s.CreateIndex:
        index = s.IndexDefinition("", [])
        index.unique = self.take("UNIQUE")
        index.clustered = self.take("CLUSTERED")
        if not index.clustered:
            self.take("NONCLUSTERED")
        index.columnstore = self.take("COLUMNSTORE")
        self.expect("INDEX")
        index.name = self.identifier()
        self.expect("ON")
        parts = self.parts()
        if self.is_op("("):
            index.columns = self.parenthesised(self._ordered_column)
        elif not index.columnstore:
            raise self.error()
        if self.take("INCLUDE"):
            index.included = self.parenthesised(self.identifier)
        if self.is_word("WHERE"):
            start = self.next().end
            self.condition()
            index.filter = f"({self.text[start : self.tokens[self.at - 1].end].strip()})"
        if self.take("WITH"):
            self._parenthesis_skipped()
        if self.take("ON"):
            self.identifier()
        return s.CreateIndex(parts, index)

    def _security_policy(self, alters: bool) -> s.SecurityPolicy:
        made = s.SecurityPolicy(self.parts(), [], alters=alters)
        while self.is_word("ADD") or self.is_op(","):
            self.take_op(",")
            self.expect("ADD")
            kind = self.next().word
            if kind not in ("FILTER", "BLOCK"):
                raise self.error(self.tokens[self.at - 1])
            self.expect("PREDICATE")
            function = self.parts()
            arguments = self._arguments()
            self.expect("ON")
            made.predicates.append((kind, function, arguments, self.parts()))
            if self.take("AFTER") or self.take("BEFORE"):
                self.next()
        if self.take("WITH"):
            self.expect_op("(")
            while not self.take_op(")"):
                word = self.next().word
                self.expect_op("=")
                on = self._on_or_off()
                if word == "STATE":
                    made.enabled = on
                self.take_op(",")
        if self.take("NOT", "FOR", "REPLICATION"):
            pass
        return made

    def _alter(self) -> s.Statement:
        start = self.token.start
        self.expect("ALTER")
        word = self.token.word
        if word in ("VIEW", "FUNCTION", "PROCEDURE", "PROC"):
            made = self._module(start, True)
            return made
        self.next()
        if word == "TABLE":
            return self._alter_table()
        if word == "DATABASE":
            return self._alter_database()
        if word == "SECURITY":
            self.expect("POLICY")
            return self._security_policy(alters=True)
        if word in ("ROLE", "LOGIN", "USER") or (word == "SERVER" and self.take("ROLE")):
            return self._alter_principal(word)
        if word == "INDEX":
            return self._alter_index()
        if word == "AUTHORIZATION":
            return self._ignored("ALTER AUTHORIZATION")
        raise SqlError(343, f"Unknown object type '{self.tokens[self.at - 1].text}' used in a CREATE, DROP, or ALTER statement.", 15)

    def _alter_index(self) -> s.Statement:
        name = self.identifier() if not self.take("ALL") else ""
        self.expect("ON")
        parts = self.parts()
        action = self.next().word
        if action not in ("REBUILD", "REORGANIZE", "DISABLE"):
            raise self.error(self.tokens[self.at - 1])
        return s.AlterTable(parts, f"index {action.lower()}", names=[name])

    def _alter_principal(self, word: str) -> s.Statement:
        kind = {"ROLE": "role", "LOGIN": "login", "USER": "user", "SERVER": "server role"}[word]
        name = self.identifier()
        if self.take("ADD", "MEMBER"):
            return s.AlterPrincipal(kind, name, "add", self.identifier())
        if self.take("DROP", "MEMBER"):
            return s.AlterPrincipal(kind, name, "drop", self.identifier())
        if self.is_word("ENABLE", "DISABLE"):
            return s.AlterPrincipal(kind, name, self.next().word.lower())
        self.expect("WITH")
        option = self.next().word.lower()
        self.expect_op("=")
        return s.AlterPrincipal(kind, name, option, self.next().text)

    def _alter_database(self) -> s.AlterDatabase:
        name = None if self.take("CURRENT") else self.identifier()
        made = s.AlterDatabase(name, [])
        if self.take("COLLATE"):
            made.options.append(("COLLATE", self.identifier()))
            return made
        self.expect("SET")
        made.options = self.listed(self._database_option)
        if self.take("WITH"):
            self.next()
            self.take("IMMEDIATE")
        return made

    def _database_option(self) -> tuple[str, str]:
        name = self.next().word
        self.take_op("=")
        if name in ("SINGLE_USER", "MULTI_USER", "RESTRICTED_USER", "READ_ONLY", "READ_WRITE", "ONLINE", "OFFLINE"):
            return name, "ON"
        return name, self.next().text.upper()

    def _drop(self) -> s.Statement:
        self.expect("DROP")
        words = [self.next().word]
        if words[0] in ("SECURITY", "COLUMN", "SERVER"):
            words.append(self.next().word)
            if self.is_word("KEY"):
                words.append(self.next().word)
        kind = " ".join(words).lower()
        if kind not in _DROPPED:
            raise SqlError(343, f"Unknown object type '{words[0]}' used in a CREATE, DROP, or ALTER statement.", 15)
        if_exists = self.take("IF", "EXISTS")
        made = s.Drop("procedure" if kind == "proc" else kind, self.listed(self.parts), if_exists)
        if kind == "index":
            if self.take("ON"):
                made.table = self.parts()
            else:
                made.table = made.names[0][:-1]
        return made


_DROPPED = {
    "table", "view", "index", "schema", "database", "login", "user", "role", "type", "function", "procedure", "proc", "synonym",
    "security policy", "statistics", "sequence", "column master key", "column encryption key",
}  # fmt: skip
