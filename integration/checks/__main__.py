"""`python -m checks`: runs SQL for another program, until standard input ends.

A request is a line of JSON on standard input, its answer one on standard output, with the request's id:

    {"id": 1, "open": {"kind": "postgres" | "snowflake" | "sqlserver", ...arguments of the driver's connect}}
    → {"id": 1, "connection": 1}
    {"id": 2, "connection": 1, "sql": "SELECT …"}
    → {"id": 2, "columns": [["NAME", "TYPE"], …], "rows": [["1", null], …], "count": 1}
    {"id": 3, "close": 1}
    → {"id": 3}
    any of them → {"id": …, "error": {"code": "42P01", "message": "…"}}

Each connection has a thread of its own, so that one that waits for a lock holds up no other. Values are text as
`text` writes them, the same for both drivers.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from typing import Any

from .connections import open_connection, refusal

_output = threading.Lock()


def _answer(request: dict[str, Any], **fields: Any) -> None:
    line = json.dumps({"id": request["id"], **fields}, ensure_ascii=False)
    with _output:
        try:
            print(line, flush=True)
        except BrokenPipeError:
            # The asking process has ended, and with it the questions.
            os._exit(0)


def _serve(opening: dict[str, Any], number: int, requests: queue.Queue[dict[str, Any]]) -> None:
    try:
        connection = open_connection(opening["open"])
    except Exception as error:  # noqa: BLE001: whatever a driver raises is the answer
        _answer(opening, error=refusal(error))
        return
    _answer(opening, connection=number)
    while "close" not in (request := requests.get()):
        try:
            _answer(request, **connection.run(request["sql"]))
        except Exception as error:  # noqa: BLE001
            _answer(request, error=refusal(error))
    connection.close()
    _answer(request)


def main() -> None:
    sys.stdin.reconfigure(encoding="utf-8")
    sys.stdout.reconfigure(encoding="utf-8")
    connections: dict[int, queue.Queue[dict[str, Any]]] = {}
    for line in sys.stdin:
        request = json.loads(line)
        if "open" in request:
            number = len(connections) + 1
            connections[number] = queue.Queue()
            threading.Thread(target=_serve, args=(request, number, connections[number]), daemon=True).start()
        else:
            connections[request.get("connection") or request["close"]].put(request)


if __name__ == "__main__":
    main()
