"""What the engine's tests share: a server, sessions, results as values."""

from __future__ import annotations

import threading

from local_sqlserver.engine import Engine
from local_sqlserver.sessions import Session
from local_sqlserver.values import Parameter, Rows, SqlError


def new_session(engine: Engine | None = None, database: str | None = "app", login: str = "sa", password: str = "") -> Session:
    engine = engine or new_engine()
    return engine.session(login, password, database, "tests")


def new_engine(version: int = 2022, azure: bool = False) -> Engine:
    engine = Engine(version, azure)
    engine.session("sa", "", "master", "tests").execute("CREATE DATABASE app").__next__()
    return engine


def results(session: Session, batch: str, *parameters: Parameter) -> list:
    """All that a batch gives, in order: lists of rows, and the numbers of its errors."""
    found: list = []
    run = session.execute(batch, parameters)
    while True:
        try:
            result = next(run)
            if isinstance(result, Rows):
                found.append(list(result.rows))
        except StopIteration:
            return found
        except SqlError as error:
            found.append(error.number)


def rows(session: Session, batch: str, *parameters: Parameter) -> list[tuple]:
    """The rows of the first result set; an error is raised."""
    found = None
    for result in session.execute(batch, parameters):
        if isinstance(result, Rows):
            found = found if found is not None else list(result.rows)
    return found if found is not None else []


def value(session: Session, expression: str):
    return rows(session, f"SELECT {expression}")[0][0]


def error_of(session: Session, batch: str) -> int:
    """The number of the first error of a batch, 0 where there is none."""
    return next((x for x in results(session, batch) if isinstance(x, int)), 0)


class InThread:
    """A batch that runs beside the test."""

    def __init__(self, session: Session, batch: str):
        self.found: list = []
        self.thread = threading.Thread(target=self._run, args=(session, batch), daemon=True)
        self.thread.start()

    def _run(self, session: Session, batch: str) -> None:
        self.found = results(session, batch)

    def end(self) -> list:
        self.thread.join(20)
        assert not self.thread.is_alive()
        return self.found
