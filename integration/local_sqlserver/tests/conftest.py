"""A server for the tests of the wire, and the drivers that judge it: nobody here wrote them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("SNOWHAUL_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "snowhaul")
# The driver manager reads its environment when it is loaded.
os.environ["ODBCSYSINI"] = str(CACHE / "odbc")

import pyodbc  # noqa: E402

from local_sqlserver import certificate  # noqa: E402
from local_sqlserver.engine import Engine  # noqa: E402
from local_sqlserver.server import Server  # noqa: E402

pyodbc.pooling = False
PASSWORD = "p;w} {d' é"


class Local:
    """A server of a test's, with its engine at hand."""

    def __init__(self, directory: Path, *, with_tls: bool = True, requires_tls: bool = False):
        self.directory = directory
        self.engine = Engine()
        self.engine.logins["sa"]["password"] = PASSWORD
        context = certificate.context(directory) if with_tls else None
        self.server = Server(self.engine, context, requires_tls=requires_tls)
        self.port = self.server.start()
        self.faults = self.server.faults

    def text(self, driver: str, more: str = "", password: str = PASSWORD, database: str = "master") -> str:
        trust = "TrustServerCertificate=yes;" if "TrustServerCertificate" not in more else ""
        own = "TDS_Version=7.4;ClientCharset=UTF-8;" if driver == "FreeTDS" else trust
        escaped = password.replace("}", "}}")
        return (
            f"Driver={{{driver}}};Server=127.0.0.1,{self.port};Database={database};UID=sa;PWD={{{escaped}}};{own}{more}"
        )

    def connect(self, driver: str, more: str = "", **keywords) -> pyodbc.Connection:
        made = pyodbc.connect(self.text(driver, more, **keywords), autocommit=True, timeout=15)
        for number in (-150, -151, -154, -155):
            made.add_output_converter(number, bytes)
        return made


@pytest.fixture(scope="session")
def local(tmp_path_factory):
    server = Local(tmp_path_factory.mktemp("sqlserver"))
    # FreeTDS does not undo `}}` in a password.
    server.engine.create_login("plain", "plain password", roles={"sysadmin"})
    yield server
    server.server.stop()


DRIVERS = ["ODBC Driver 18 for SQL Server", "FreeTDS"]


@pytest.fixture(params=DRIVERS)
def driver(request):
    return request.param


@pytest.fixture
def cursor(local, driver):
    more = "UID=plain;PWD=plain password" if driver == "FreeTDS" else ""
    if driver == "FreeTDS":
        text = local.text(driver).replace("UID=sa;", "").split("PWD=")[0] + "TDS_Version=7.4;ClientCharset=UTF-8;" + more
        connection = pyodbc.connect(text, autocommit=True, timeout=15)
    else:
        connection = local.connect(driver)
    for number in (-150, -151, -154, -155):
        connection.add_output_converter(number, bytes)
    with connection, connection.cursor() as cursor:
        yield cursor
