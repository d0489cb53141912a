"""The HTTP face: Snowflake's driver protocol, and the bucket behind presigned URLs."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route, Router

from .errors import SnowflakeError
from .server import Server
from .session import Session


def _failure(error: SnowflakeError) -> JSONResponse:
    # Snowflake answers refusals with HTTP 200.
    return JSONResponse({"data": None, "code": error.code, "message": error.message, "success": False, "headers": None})


async def _body(request: Request) -> dict[str, Any]:
    raw = await request.body()
    if request.headers.get("Content-Encoding") == "gzip":
        raw = gzip.decompress(raw)
    return json.loads(raw) if raw else {}


def _token(request: Request) -> str:
    header = request.headers.get("Authorization", "")
    if not header.startswith('Snowflake Token="'):
        raise SnowflakeError("390103", "Session token not found in the request data.", "08001")
    return header[len('Snowflake Token="') : -1]


class Routes:
    def __init__(self, server: Server) -> None:
        self.server = server

    def _session(self, request: Request) -> Session:
        return self.server.session(_token(request))

    async def login(self, request: Request) -> Response:
        try:
            body = await _body(request)
            query = dict(request.query_params)
            data = await asyncio.to_thread(self.server.login, query, body.get("data") or {})
            return JSONResponse({"data": data, "code": None, "message": None, "success": True})
        except SnowflakeError as error:
            return _failure(error)

    async def query(self, request: Request) -> Response:
        try:
            session = self._session(request)
            body = await _body(request)
        except SnowflakeError as error:
            return _failure(error)
        base_url = f"{request.url.scheme}://{request.url.netloc}"
        query_id, future = self.server.submit(session, request.query_params.get("requestId", ""), body, base_url)
        return await self._wait(query_id, future, at_once=bool(body.get("asyncExec")))

    async def _wait(self, query_id: str, future: Any, *, at_once: bool = False) -> Response:
        """The answer; after a while Snowflake says that the statement still runs, and where to ask again."""
        patience = 0.0 if at_once else self.server.options.async_after
        done, _ = await asyncio.wait([asyncio.wrap_future(future)], timeout=patience)
        if done:
            return JSONResponse(future.result())
        code = "333334" if at_once else "333333"
        data = {"queryId": query_id, "getResultUrl": f"/queries/{query_id}/result", "queryAbortsAfterSecs": 300,
                "progressDesc": None}  # fmt: skip
        return JSONResponse({"data": data, "code": code, "message": "Query execution in progress.", "success": True})

    async def result(self, request: Request) -> Response:
        try:
            session = self._session(request)
            query_id = request.path_params["query_id"]
            owner, future = self.server.by_query.get(query_id, (None, None))
            if owner is None or owner.user != session.user:
                raise SnowflakeError("000709", f"Statement {query_id} not found", "02000")
            return await self._wait(query_id, future)
        except SnowflakeError as error:
            return _failure(error)

    async def monitoring(self, request: Request) -> Response:
        try:
            self._session(request)
        except SnowflakeError as error:
            return _failure(error)
        known = self.server.by_query.get(request.path_params["query_id"])
        queries = []
        if known:
            future = known[1]
            status = "RUNNING" if not future.done() else "SUCCESS" if future.result()["success"] else "FAILED_WITH_ERROR"
            queries.append({"id": request.path_params["query_id"], "status": status})
        return JSONResponse({"data": {"queries": queries}, "success": True})

    async def abort(self, request: Request) -> Response:
        try:
            self._session(request)
            body = await _body(request)
            self.server.abort(str(body.get("requestId", "")))
        except SnowflakeError as error:
            return _failure(error)
        return JSONResponse({"data": None, "code": None, "message": None, "success": True})

    async def session(self, request: Request) -> Response:
        try:
            session = self._session(request)
            if request.query_params.get("delete"):
                self.server.logout(session)
        except SnowflakeError as error:
            return _failure(error)
        return JSONResponse({"data": None, "code": None, "message": None, "success": True})

    async def renew(self, request: Request) -> Response:
        try:
            return JSONResponse({"data": self.server.renew(_token(request)), "success": True, "code": None, "message": None})
        except SnowflakeError as error:
            return _failure(error)

    async def bucket(self, request: Request) -> Response:
        target = request.path_params["path"]
        query = request.query_params
        if refusal := self.server.uploads.refusal(target, query.get("expires", ""), query.get("signature", "")):
            return Response(f"<Error><Code>{refusal}</Code></Error>", status_code=400 if refusal == "ExpiredToken" else 403)
        if request.method != "PUT":
            root, name = self.server.uploads.locate(target)
            return FileResponse(root / name) if (root / name).is_file() else Response(status_code=404)
        try:
            await self.server.uploads.receive(target, request.stream())
        except ClientDisconnect:
            return Response(status_code=400)
        return Response()


def create(server: Server) -> Router:
    routes = Routes(server)
    # Bare: an application would send each request through three layers more.
    return Router(
        routes=[
            Route("/session/v1/login-request", routes.login, methods=["POST"]),
            Route("/session/token-request", routes.renew, methods=["POST"]),
            Route("/session", routes.session, methods=["POST"]),
            Route("/session/heartbeat", routes.session, methods=["POST"]),
            Route("/queries/v1/query-request", routes.query, methods=["POST"]),
            Route("/queries/v1/abort-request", routes.abort, methods=["POST"]),
            Route("/queries/{query_id}/result", routes.result, methods=["GET"]),
            Route("/monitoring/queries/{query_id}", routes.monitoring, methods=["GET"]),
            Route("/fs_bucket/{path:path}", routes.bucket, methods=["PUT", "GET", "HEAD"]),
            Route("/telemetry/send", lambda _: JSONResponse({"success": True}), methods=["POST"]),
        ]
    )
