"""Faults on purpose: what a network, a gateway or an expired token does to a request.

`--faults FILE` names a file that is read at every request, so that a test can change it while the server runs (by
renaming a new one over it). It holds a JSON list of rules:

    {"id": 1, "match": "COMMIT", "when": "after", "answer": "reset", "times": 2}

`match` is a regular expression, searched without regard to case in `METHOD path SQL`; `times` requests (1, if not said)
are hit, those that come first. `answer` is what the client gets instead of the truth:

    503, 500, 429   this HTTP status
    "reset"         the connection is reset
    "expire"        the truth, but all sessions of now have expired (390112), this request's first
    "forget"        the same, but their tokens are unknown (390104)

`when` counts for statuses and resets: "before" the request has any effect, or "after" it, which is a lost reply.
A rule is known by its `id`: one that was used up stays used up when the file changes. Every hit is a line of JSON in
`FILE.hits`: id, when, answer and what was hit.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from .server import Server

Rule = dict[str, Any]


class FaultLayer:
    """In front of the whole application."""

    def __init__(self, app: ASGIApp, server: Server, file: Path) -> None:
        self.app, self.server, self.file = app, server, file
        self.hits: Counter[int] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        rules = self._rules() if scope["type"] == "http" else []
        if not rules:
            return await self.app(scope, receive, send)
        # uvicorn's own request: the way to its connection.
        connection = getattr(getattr(receive, "__self__", None), "transport", None)
        text = f"{scope['method']} {scope['path']}"
        if not scope["path"].startswith("/fs_bucket"):
            body, receive = await _read(receive)
            text += " " + _sql(scope, body)
        rule = self._take(rules, text)
        if rule is None:
            return await self.app(scope, receive, send)
        if rule["answer"] in ("expire", "forget"):
            self.server.end_sessions(forget=rule["answer"] == "forget")
            return await self.app(scope, receive, send)
        if rule.get("when") == "after":
            await self.app(scope, receive, _nowhere)
        if rule["answer"] == "reset":
            connection.abort()
        else:
            await Response("upstream", status_code=int(rule["answer"]))(scope, receive, send)

    def _rules(self) -> list[Rule]:
        try:
            return json.loads(self.file.read_text())
        except FileNotFoundError:
            return []

    def _take(self, rules: list[Rule], text: str) -> Rule | None:
        for rule in rules:
            if self.hits[rule["id"]] >= rule.get("times", 1):
                continue
            if re.search(rule["match"], text, re.IGNORECASE | re.DOTALL):
                self.hits[rule["id"]] += 1
                entry = {key: rule.get(key) for key in ("id", "when", "answer")} | {"hit": text[:200]}
                with self.file.with_name(self.file.name + ".hits").open("a", encoding="utf-8") as hits:
                    hits.write(json.dumps(entry) + "\n")
                return rule
        return None


async def _nowhere(_: Message) -> None:
    """The reply that is lost."""


async def _read(receive: Receive) -> tuple[bytes, Receive]:
    """The body, and a way to receive it again."""
    messages: list[Message] = []
    body = b""
    while True:
        message = await receive()
        messages.append(message)
        body += message.get("body", b"")
        if not message.get("more_body"):
            break

    async def again() -> Message:
        return messages.pop(0) if messages else await receive()

    return body, again


def _sql(scope: Scope, body: bytes) -> str:
    if dict(scope["headers"]).get(b"content-encoding") == b"gzip":
        body = gzip.decompress(body)
    try:
        return str(json.loads(body).get("sqlText") or "")
    except (ValueError, AttributeError):
        return ""
