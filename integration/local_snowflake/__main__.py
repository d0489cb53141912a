"""`python -m local_snowflake serve --data DIR`: the server in the foreground."""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import socket
import sys
import threading
from pathlib import Path

import uvicorn

from . import notes
from .app import create
from .faults import FaultLayer
from .server import Options, Server


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="local-snowflake", description=__doc__)
    serve = parser.add_subparsers(required=True, metavar="serve").add_parser("serve", help="run in the foreground")
    serve.add_argument("--data", type=Path, required=True, help="directory of the databases and stages")
    serve.add_argument("--port", type=int, default=0, help="default: the last one of this directory, else a free one")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--users", type=Path, help="JSON of the users that may log in; default: anyone")
    serve.add_argument("--deny", type=Path, help="JSON list of regular expressions of statements to refuse")
    serve.add_argument("--warehouses", type=Path, help="JSON of the warehouses that exist; default: any")
    serve.add_argument("--region", default="LOCAL", help="the account's region, e.g. GCP_US_CENTRAL1")
    serve.add_argument("--no-hybrid-tables", action="store_true", help="refuse them, as a trial account does")
    serve.add_argument(
        "--account-parameter", action="append", default=[], metavar="NAME=VALUE", help="a parameter that is set on the account"
    )
    serve.add_argument("--edition", choices=("standard", "enterprise"), default="enterprise", help="standard: fewer columns in SHOW")
    unfriendly = serve.add_argument_group("what the documentation allows and nobody hopes for (see unfriendly.py)")
    unfriendly.add_argument("--unknown-lock-codes", action="store_true", help="locks and throttling of hybrid tables with such codes")
    unfriendly.add_argument("--remember-rolled-back-copies", action="store_true", help="COPY skips their files, unless FORCE = TRUE")
    unfriendly.add_argument(
        "--late-visibility", type=float, metavar="SECONDS", help="how late an open session sees others' commits to standard tables"
    )
    unfriendly.add_argument("--no-recheck", action="store_true", help="an UPDATE that waited for a lock does not look again")
    serve.add_argument("--lengths-before", action="store_true", help="no VARCHAR above 16 MB and no BINARY above 8 MB")
    serve.add_argument("--faults", type=Path, help="JSON list of faults, read at every request: see faults.py")
    serve.add_argument("--statement-log", type=Path, help="default: statements.jsonl in the data directory")
    serve.add_argument("--session-lifetime", type=float, help="seconds until a session answers 390112")
    serve.add_argument("--master-lifetime", type=float, help="seconds after the login until a session cannot be renewed")
    serve.add_argument("--lock-wait", type=float, default=10.0, help="most seconds to wait for a lock (10)")
    serve.add_argument("--transaction-idle", type=float, default=300.0, help="seconds until an idle transaction ends (300)")
    serve.add_argument("--forget-idle", action="store_true", help="a session whose transaction ended as idle goes on without one")
    serve.add_argument("--presigned-lifetime", type=float, default=3600.0, help="seconds an upload URL is valid (3600)")
    serve.add_argument("--async-after", type=float, default=45.0, help="seconds until a statement is answered as still running")
    serve.add_argument("--memory-limit", default="4GB", help="DuckDB's memory (4GB)")
    serve.add_argument("--threads", type=int, default=2, help="DuckDB's threads (2); one does small statements with less")
    serve.add_argument("--translations", type=Path, help="directory of translations that servers share (see kept.py)")
    serve.add_argument("--exit-with-stdin", action="store_true", help="end when standard input ends")
    return parser.parse_args()


def _listen(host: str, port: int, data: Path) -> socket.socket:
    """Bind the asked port, else the one of the last start, so that a restart keeps the address, else a free one."""
    remembered = data / "port"
    wanted = [port] if port else [0]
    if not port and remembered.exists():
        wanted.insert(0, int(remembered.read_text()))
    for candidate in wanted:
        # The protocol is named so that asyncio turns Nagle's algorithm off: it would cost 40 ms a statement.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, candidate))
        except OSError:
            listener.close()
            if candidate == wanted[-1]:
                raise
            continue
        remembered.write_text(str(listener.getsockname()[1]))
        return listener
    raise OSError("no port")


def _write_connection(data: Path, host: str, port: int, users: Path | None) -> None:
    user, secret = "LOCAL", 'password = "local"'
    if users:
        for name, entry in json.loads(users.read_text()).items():
            if "password" in entry:
                user, secret = name, f"password = {json.dumps(entry['password'])}"
                break
    file = data / "connections.toml"
    text = (
        f'[local]\naccount = "LOCAL"\nhost = "{host}"\nport = {port}\nprotocol = "http"\n'
        f'user = "{user}"\n{secret}\nwarehouse = "LOCAL_WH"\nrole = "SYSADMIN"\n'
    )
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(descriptor, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text)


def main() -> None:
    arguments = _arguments()
    if arguments.lengths_before:
        notes.LARGEST.update(notes.LARGEST_BEFORE)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    for noisy in ("sqlglot", "fakesnow", "fakesnow.server"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    # Trees of statements are many short-lived objects: looking for cycles among them all the time is a tenth of the work.
    gc.set_threshold(100_000, 20, 20)
    arguments.data.mkdir(parents=True, exist_ok=True)
    fields = Options.__dataclass_fields__
    server = Server(Options(**{k: v for k, v in vars(arguments).items() if k in fields}))
    listener = _listen(arguments.host, arguments.port, arguments.data)
    port = listener.getsockname()[1]
    _write_connection(arguments.data, arguments.host, port, arguments.users)
    app = create(server)
    if arguments.faults:
        app = FaultLayer(app, server, arguments.faults)
    config = uvicorn.Config(
        app, http="httptools", log_level="warning", timeout_keep_alive=120, timeout_graceful_shutdown=3, access_log=False,
        proxy_headers=False, lifespan="off",
    )
    http = uvicorn.Server(config)
    if arguments.exit_with_stdin:

        def watch() -> None:
            while sys.stdin.buffer.read(4096):
                pass
            http.should_exit = True

        threading.Thread(target=watch, daemon=True).start()
    listener.listen(512)
    print(json.dumps({"port": port, "connections": str(arguments.data / "connections.toml")}), flush=True)
    http.run(sockets=[listener])
    server.close()
    # Everything is closed; DuckDB's bindings only have complaints about their own objects left.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
