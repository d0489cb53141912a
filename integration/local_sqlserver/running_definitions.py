"""CREATE, ALTER, DROP, GRANT at work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import nodes as n
from . import statements as s
from .collations import rules
from .constraints import check_keys
from .defining_tables import Defining
from .tables import AliasType, Module, Policy, Synonym, Table, Thing
from .values import Collation, Done, SqlError

Results = Iterator[Any]


class Definitions(Defining):
    """Statements that change what the database holds. Those of objects are taken back by ROLLBACK."""

    session: Any

    def _needs(self, permission: str) -> None:
        if not self.session.privileges.allows(permission):
            raise SqlError(262, f"{permission} permission denied in database '{self.session.database}'.", 14)

    def _needs_server(self, permission: str, verb: str) -> None:
        if not self.session.privileges.on_server(permission):
            raise SqlError(15247, "User does not have permission to perform this action.")

    def add_object(self, thing: Thing) -> None:
        session = self.session
        if thing.name.startswith("#"):
            if thing.name.lower() in session.temporary:
                raise SqlError(2714, f"There is already an object named '{thing.name}' in the database.")
            session.temporary[thing.name.lower()] = thing
            return
        session.store.add(thing)
        self._undo(lambda: session.store.remove(thing))

    def _undo(self, action) -> None:
        current = self.session.transactions.current
        if current is not None:
            current.undo.append(action)

    def _createtable(self, statement: s.CreateTable) -> Results:
        if not statement.parts[-1].startswith("#"):
            self._needs("CREATE TABLE")
        table = self.define(statement)
        self.add_object(table)
        yield Done(None)

    def _altertable(self, statement: s.AlterTable) -> Results:
        table = self.session.find(statement.parts, kinds=("table",))
        if not self.session.privileges.allows("ALTER", table):
            raise SqlError(1088, f'Cannot find the object "{".".join(statement.parts)}" because it does not exist or you do not have permissions.')  # fmt: skip
        session = self.session
        with session.transactions.writing() as transaction:
            transaction.write(table, session.store, session.lock_timeout)
            kept = (list(table.columns), list(table.indexes), list(table.checks), list(table.foreign_keys))

            def back() -> None:
                table.columns, table.indexes, table.checks, table.foreign_keys = kept
                session.store.changed()

            self._undo(back)
            self.alter(statement, table, transaction)
            table.modified = session.engine.clock()
            table.keys = None
        session.store.changed()
        yield Done(None)

    def _createindex(self, statement: s.CreateIndex) -> Results:
        thing = self.session.find(statement.parts, kinds=("table", "view"))
        session = self.session
        index = self.define_index(thing, statement.index)
        if thing.kind == "table":
            with session.transactions.writing() as transaction:
                transaction.write(thing, session.store, session.lock_timeout)
                thing.indexes.append(index)
                self._undo(lambda: thing.indexes.remove(index))
                thing.keys = None
                try:
                    check_keys(transaction, thing, [], {0: None})
                except SqlError as error:
                    raise SqlError(1505, f"The CREATE UNIQUE INDEX statement terminated because a duplicate key was found for the object name '{thing.schema}.{thing.name}' and the index name '{index.name}'.") from error  # fmt: skip
        else:
            thing.indexes.append(index)
        session.store.changed()
        yield Done(None)

    def _createmodule(self, statement: s.CreateModule) -> Results:
        session = self.session
        self._needs(f"CREATE {statement.kind.upper()}")
        schema = self.schema_of(statement.parts)
        old = session.store.get(schema[1], statement.parts[-1])
        if old is not None and statement.replaces and old.kind == statement.kind:
            session.store.remove(old)
            self._undo(lambda: session.store.add(old))
        id_ = old.id if old is not None and statement.replaces else session.store.next_id()
        now = session.engine.clock()
        made = Module(id_, schema[1], schema[0], statement.parts[-1], statement.kind, now, now, text=statement.text, query=statement.query, column_names=statement.columns, parameters=statement.parameters, body=statement.body)  # fmt: skip
        if statement.kind == "view":
            made.columns = self._view_columns(made)
        self.add_object(made)
        yield Done(None)

    def _view_columns(self, view: Module) -> list:
        from .tables import Column

        compiler = self.compiler()
        compiler.variables = {}
        _, _, fields, _ = compiler.query_function(view.query, None)
        names = view.column_names or [f.name for f in fields]
        for position, name in enumerate(names):
            if not name:
                raise SqlError(4511, f"Create View or Function failed because no column name was specified for column {position + 1}.")
        return [Column(i + 1, name, f.type, f.nullable) for i, (name, f) in enumerate(zip(names, fields, strict=True))]

    def _createtype(self, statement: s.CreateType) -> Results:
        self._needs("CREATE TYPE")
        store, (_, schema) = self.session.store, self.schema_of(statement.parts)
        key = schema.lower(), statement.parts[-1].lower()
        if key in store.types:
            raise SqlError(219, f"The type '{'.'.join(statement.parts)}' already exists, or you do not have permission to create it.")
        base = self.compiler().type(statement.base)
        store.types[key] = AliasType(store.next_type_id(), schema, statement.parts[-1], base, statement.nullable)
        store.changed()
        self._undo(lambda: store.types.pop(key, None))
        yield Done(None)

    def _createsimple(self, statement: s.CreateSimple) -> Results:
        kind, name, options = statement.kind, statement.name[-1], statement.options
        store, engine = self.session.store, self.session.engine
        if kind == "database":
            self._needs_server("CREATE ANY DATABASE", "CREATE DATABASE")
            if self.session.transactions.current is not None:
                raise SqlError(226, "CREATE DATABASE statement not allowed within multi-statement transaction.")
            collation = options.get("collate", engine.collation.name)
            engine.create_database(name, Collation(rules(collation, engine.version).name))
        elif kind == "login":
            self._needs_server("ALTER ANY LOGIN", "CREATE LOGIN")
            engine.create_login(name, options.get("password", ""), options.get("default_database", "master"))
        elif kind == "schema":
            self._needs("CREATE SCHEMA")
            if name.lower() in store.schemas:
                raise SqlError(2714, f"There is already an object named '{name}' in the database.")
            store.schemas[name.lower()] = (store.next_small_id(), name)
            self._undo(lambda: store.schemas.pop(name.lower(), None))
        elif kind in ("user", "role"):
            self._create_principal(kind, name, options)
        elif kind == "synonym":
            schema = self.schema_of(statement.name)
            self.add_object(Synonym(store.next_id(), schema[1], schema[0], name, "synonym", engine.clock(), target=options["for"]))
        elif kind in ("column master key", "column encryption key"):
            store.made_keys.append((kind, name))
        else:
            raise SqlError(343, f"Unknown object type '{kind.upper()}' used in a CREATE, DROP, or ALTER statement.", 15)
        store.changed()
        yield Done(None)

    def _create_principal(self, kind: str, name: str, options: dict) -> None:
        store, engine = self.session.store, self.session.engine
        self._needs("ALTER ANY USER")
        if name.lower() in store.users or name.lower() in store.roles:
            raise SqlError(15023, f"User, group, or role '{name}' already exists in the current database.")
        if kind == "role":
            store.roles[name.lower()] = set()
            store.role_ids[name.lower()] = store.next_small_id()
            return
        login = options.get("login", name) if "login" in options or "password" not in options else None
        if "password" in options:
            engine.create_login(name, options["password"], store.name)
            login = name
        if login is not None and login.lower() not in engine.logins:
            raise SqlError(15007, f"'{login}' is not a valid login or you do not have permission.")
        store.users[name.lower()] = (store.next_small_id(), login, name)

    def _alterdatabase(self, statement: s.AlterDatabase) -> Results:
        name = statement.name or self.session.database
        store = self.session.engine.databases.get(name.lower())
        if store is None:
            raise SqlError(911, f"Database '{name}' does not exist. Make sure that the name is entered correctly.")
        if not self.session.privileges.is_owner and not self.session.engine.is_sysadmin(self.session.login):
            raise SqlError(5011, f"User does not have permission to alter database '{name}', the database does not exist, or the database is not in a state that allows access checks.", 14)  # fmt: skip
        for option, value in statement.options:
            on = value == "ON"
            if option == "ALLOW_SNAPSHOT_ISOLATION":
                store.snapshot_allowed = on
            elif option == "READ_COMMITTED_SNAPSHOT":
                store.rcsi = on
            elif option == "COLLATE":
                store.collation = Collation(rules(value, self.session.engine.version).name)
            # Other options change nothing that is here.
        store.changed()
        yield Done(None)

    def _alterprincipal(self, statement: s.AlterPrincipal) -> Results:
        store, engine = self.session.store, self.session.engine
        if statement.kind in ("role", "server role"):
            yield from self._change_member(statement)
            return
        known = engine.logins if statement.kind == "login" else store.users
        if statement.name.lower() not in known:
            raise SqlError(15151, f"Cannot alter the {statement.kind} '{statement.name}', because it does not exist or you do not have permission.")  # fmt: skip
        if statement.kind == "login":
            login = engine.logins[statement.name.lower()]
            if statement.action in ("enable", "disable"):
                login["enabled"] = statement.action == "enable"
            elif statement.action == "password":
                login["password"] = statement.argument
            elif statement.action == "default_database":
                login["database"] = statement.argument
        yield Done(None)

    def _change_member(self, statement: s.AlterPrincipal) -> Results:
        store, engine = self.session.store, self.session.engine
        if statement.kind == "server role":
            self._needs_server("ALTER ANY LOGIN", "ALTER SERVER ROLE")
            members = engine.logins[statement.argument.lower()]["roles"]
            (members.add if statement.action == "add" else members.discard)(statement.name.lower())
        else:
            self._needs("ALTER ANY ROLE")
            members = store.roles.get(statement.name.lower())
            if members is None or statement.argument.lower() not in {*store.users, *store.roles}:
                raise SqlError(15151, f"Cannot alter the role '{statement.name}', because it does not exist or you do not have permission.")  # fmt: skip
            (members.add if statement.action == "add" else members.discard)(statement.argument.lower())
        store.changed()
        yield Done(None)

    def _securitypolicy(self, statement: s.SecurityPolicy) -> Results:
        store, (number, schema) = self.session.store, self.schema_of(statement.parts)
        self._needs("ALTER ANY SECURITY POLICY")
        predicates = [
            (kind, function, arguments, self.session.find(table, kinds=("table",)))
            for kind, function, arguments, table in statement.predicates
        ]
        for _, function, _, _ in predicates:
            self.session.find(function, kinds=("function",))
        if statement.alters:
            policy = self.session.find(statement.parts, kinds=("policy",))
            policy.enabled = statement.enabled
            policy.predicates += predicates
            store.changed()
        else:
            self.add_object(Policy(store.next_id(), schema, number, statement.parts[-1], "policy", self.session.engine.clock(), predicates=predicates, enabled=statement.enabled))  # fmt: skip
        yield Done(None)

    def _drop(self, statement: s.Drop) -> Results:
        for parts in statement.names:
            self._drop_one(statement, parts)
        self.session.store.changed()
        yield Done(None)

    def _drop_one(self, statement: s.Drop, parts: n.Parts) -> None:
        kind, name = statement.kind, parts[-1].lower()
        store, engine = self.session.store, self.session.engine
        held = {
            "database": engine.databases, "login": engine.logins, "user": store.users, "role": store.roles, "schema": store.schemas,
        }.get(kind)  # fmt: skip
        if held is not None:
            if name not in held:
                if statement.if_exists:
                    return
                raise SqlError(3701, f"Cannot drop the {kind} '{parts[-1]}', because it does not exist or you do not have permission.", 11, 1)  # fmt: skip
            self._needs_server("ALTER ANY DATABASE", kind) if kind in ("database", "login") else self._needs(f"ALTER ANY {kind.upper()}")  # fmt: skip
            if kind == "database" and any(x.database.lower() == name for x in engine.sessions.values()):
                raise SqlError(3702, f'Cannot drop database "{parts[-1]}" because it is currently in use.')
            if kind == "schema" and any(o.schema.lower() == name for o in store.objects.values()):
                raise SqlError(3729, f"Cannot drop schema '{parts[-1]}' because it is being referenced by another object.")
            removed = held.pop(name)
            if kind not in ("database", "login"):
                self._undo(lambda: held.__setitem__(name, removed))
        elif kind == "index":
            self._drop_index(statement, name)
        elif kind == "type":
            key = (parts[-2] if len(parts) > 1 else self.session.default_schema).lower(), name
            if store.types.pop(key, None) is None and not statement.if_exists:
                raise SqlError(3701, f"Cannot drop the type '{parts[-1]}', because it does not exist or you do not have permission.", 11)
        elif kind in ("statistics", "column master key", "column encryption key", "sequence"):
            return
        else:
            self._drop_object(statement, parts)

    def _drop_index(self, statement: s.Drop, name: str) -> None:
        table = self.session.find(statement.table, kinds=("table", "view"))
        index = next((i for i in table.indexes if i.name.lower() == name), None)
        if index is None:
            if statement.if_exists:
                return
            raise SqlError(3701, f"Cannot drop the index '{table.schema}.{table.name}.{name}', because it does not exist or you do not have permission.", 11, 7)  # fmt: skip
        table.indexes.remove(index)
        self._undo(lambda: table.indexes.append(index))

    def _drop_object(self, statement: s.Drop, parts: n.Parts) -> None:
        session = self.session
        kind = {"security policy": "policy"}.get(statement.kind, statement.kind)
        found = session._find(parts)
        if found is None or found.kind != kind:
            if statement.if_exists:
                return
            raise SqlError(3701, f"Cannot drop the {statement.kind} '{'.'.join(parts)}', because it does not exist or you do not have permission.", 11, 5)  # fmt: skip
        if not session.privileges.allows("ALTER", found):
            raise SqlError(3701, f"Cannot drop the {statement.kind} '{'.'.join(parts)}', because it does not exist or you do not have permission.", 11, 20)  # fmt: skip
        if isinstance(found, Table) and any(k.target is found for o in session.store.tables() if o is not found for k in o.foreign_keys):
            raise SqlError(3726, f"Could not drop object '{'.'.join(parts)}' because it is referenced by a FOREIGN KEY constraint.")
        if isinstance(found, Table) and found.temporal_type == 2:
            raise SqlError(13552, f"Drop table operation failed on table '{session.database}.{found.schema}.{found.name}' because it is not a supported operation on system-versioned temporal tables.")  # fmt: skip
        if found.name.startswith("#"):
            session.temporary.pop(found.name.lower())
            return
        if isinstance(found, Table):
            with session.transactions.writing() as transaction:
                transaction.lock(found, "X", session.lock_timeout)
        session.store.remove(found)
        self._undo(lambda: session.store.add(found))

    def _grant(self, statement: s.Grant) -> Results:
        store = self.session.store
        if not self.session.privileges.is_owner:
            raise SqlError(4613, "Grantor does not have GRANT permission.")
        for principal in statement.principals:
            for permission in statement.permissions:
                self._grant_one(statement, principal.lower(), permission)
        store.changed()
        yield Done(None)

    def _grant_one(self, statement: s.Grant, principal: str, permission: str) -> None:
        store, engine = self.session.store, self.session.engine
        server = permission in _SERVER_PERMISSIONS
        if server:
            if principal not in engine.logins:
                raise SqlError(15151, f"Cannot find the login '{principal}', because it does not exist or you do not have permission.")
            self._set(engine.server_grants, (principal, permission), statement.verb)
            return
        if principal not in store.users and principal not in store.roles:
            raise SqlError(15151, f"Cannot find the user '{principal}', because it does not exist or you do not have permission.")
        kind, id_ = "DATABASE", 0
        if statement.securable is not None:
            kind, parts = statement.securable
            if kind == "OBJECT":
                id_ = self.session.find(parts, kinds=("table", "view", "function", "procedure", "synonym", "system")).id
            elif kind == "SCHEMA":
                id_ = store.schema_id(parts[-1])
                if id_ is None:
                    raise SqlError(15151, f"Cannot find the schema '{parts[-1]}', because it does not exist or you do not have permission.")  # fmt: skip
        permissions = ["SELECT", "INSERT", "UPDATE", "DELETE", "REFERENCES"] if permission == "ALL" else [permission]
        for one in permissions:
            for column in statement.columns or [""]:
                self._set(store.grants, (principal, kind, id_, column.lower(), one), statement.verb)

    @staticmethod
    def _set(grants: dict, key: tuple, verb: str) -> None:
        if verb == "REVOKE":
            grants.pop(key, None)
        else:
            grants[key] = verb


_SERVER_PERMISSIONS = {
    "VIEW SERVER STATE", "VIEW SERVER PERFORMANCE STATE", "VIEW SERVER SECURITY STATE", "CONTROL SERVER", "VIEW ANY DATABASE",
    "VIEW ANY DEFINITION", "CONNECT SQL", "ALTER ANY LOGIN", "ALTER ANY CONNECTION", "CREATE ANY DATABASE", "ALTER ANY DATABASE",
    "ALTER SERVER STATE", "CONNECT ANY DATABASE", "SELECT ALL USER SECURABLES", "ALTER TRACE",
}  # fmt: skip
