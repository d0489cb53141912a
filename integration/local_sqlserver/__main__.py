"""`python -m local_sqlserver serve --data DIR`: a local SQL Server until it is told to stop, or until its standard input ends."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import sys
import threading
from pathlib import Path

from . import certificate
from .engine import Engine
from .server import Server


def _write_login(file: Path, section: str, values: dict[str, str | int | bool]) -> None:
    lines = [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as output:
        output.write("\n".join(lines) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(prog="local_sqlserver", description=__doc__)
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("--data", type=Path, required=True, help="where logins, certificates and the log of statements go")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--exit-with-stdin", action="store_true")
    parser.add_argument("--version", type=int, default=2022, help="the year of the product that it plays (2022)")
    parser.add_argument("--azure", action="store_true", help="plays Azure SQL Database")
    parser.add_argument("--without-tls", action="store_true")
    parser.add_argument("--require-tls", action="store_true", help="as with Force Encryption")
    arguments = parser.parse_args()
    data = arguments.data
    data.mkdir(parents=True, exist_ok=True)
    engine = Engine(arguments.version, arguments.azure)
    engine.logins["sa"]["password"] = administrator = secrets.token_urlsafe(18)
    owner = secrets.token_urlsafe(18)
    engine.create_login("snowhaul", owner)
    administrating = engine.session("sa", administrator, "master", "local_sqlserver")
    for batch in (
        "CREATE DATABASE dev",
        "ALTER DATABASE dev SET ALLOW_SNAPSHOT_ISOLATION ON",
        "USE dev CREATE USER snowhaul FOR LOGIN snowhaul ALTER ROLE db_owner ADD MEMBER snowhaul",
    ):
        for _ in administrating.execute(batch):
            pass
    administrating.close()
    context = None if arguments.without_tls else certificate.context(data)
    server = Server(engine, context, requires_tls=arguments.require_tls, log=data / "statements.jsonl")
    port, control_port = server.start(arguments.port), server.faults.serve()
    place = {"host": "127.0.0.1", "port": port, "trust_server_certificate": True}
    _write_login(data / "source.toml", "connections.source.sqlserver", {"username": "snowhaul", "password": owner, "database": "dev", **place})
    _write_login(data / "admin.toml", "admin", {"username": "sa", "password": administrator, "database": "master", **place})
    (data / "pid").write_text(str(os.getpid()))
    print(json.dumps({"port": port, "control_port": control_port, "source": str(data / "source.toml")}), flush=True)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    if arguments.exit_with_stdin:
        threading.Thread(target=lambda: (sys.stdin.read(), stopped.set()), daemon=True).start()
    stopped.wait()
    server.stop()
    (data / "pid").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
