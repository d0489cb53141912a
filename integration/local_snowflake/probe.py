"""Ask a server whether it answers: a login and SELECT 1, by the connection file it wrote. Exit status only.

A server with a users file may hold no password to try; then a refused login is an answer too."""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
import urllib.request
from pathlib import Path
from typing import Any


def _post(base: str, path: str, body: dict[str, Any], token: str = "") -> dict[str, Any]:
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f'Snowflake Token="{token}"'
    request = urllib.request.Request(base + path, json.dumps(body).encode(), headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        return json.load(answer)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    connection = tomllib.loads((parser.parse_args().data / "connections.toml").read_text())["local"]
    base = f"http://{connection['host']}:{connection['port']}"
    login = {"ACCOUNT_NAME": "LOCAL", "LOGIN_NAME": connection["user"], "PASSWORD": connection["password"]}
    try:
        answer = _post(base, "/session/v1/login-request", {"data": login})
        if not answer["success"]:
            return 0 if answer["code"] == "390100" else 1
        token = answer["data"]["token"]
        answer = _post(base, "/queries/v1/query-request?requestId=probe", {"sqlText": "SELECT 1"}, token)
        _post(base, "/session?delete=true", {}, token)
    except OSError:
        return 1
    return 0 if answer.get("success") else 1


if __name__ == "__main__":
    sys.exit(main())
