"""Internal stages: PUT, GET, LIST, REMOVE and the files themselves.

fakesnow refuses LIST with a path or pattern, REMOVE, GET and quoted stage names, and receives an upload whole
in memory. Here a stage is a directory; an upload is streamed to a temporary file next to it and appears under
its name when it is complete, with its digest beside it for COPY's load metadata.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from . import names
from .engine import Answer, from_rows
from .errors import SnowflakeError, not_emulated, syntax

if TYPE_CHECKING:
    from .account import Account
    from .session import Session


@dataclass
class StageRef:
    catalog: str  # aliases, see names
    schema: str
    stage: str
    path: str
    shown: str

    def key(self) -> list[str]:
        return [self.catalog, self.schema, self.stage]


def read_reference(text: str, session: Session, *, whole: bool) -> tuple[StageRef, int]:
    """Read `@db.schema.stage/path` at the start of `text`; a path ends at a blank unless `whole`."""
    if not text.startswith("@"):
        raise syntax(f"unexpected '{text.split(maxsplit=1)[0] if text.split() else ''}': a stage starts with @.")
    if text[1:2] in ("~", "%"):
        raise not_emulated("user and table stages")
    parts, end = names.read_name(text, 1)
    if not 1 <= len(parts) <= 3:
        raise syntax("invalid stage name.")
    match = re.compile(r"/(.*)" if whole else r"/[^\s);,]*", re.DOTALL).match(text, end)
    path = match[0][1:] if match else ""
    stop = match.end() if match else end
    current = [names.decode(session.database or ""), names.decode(session.schema or "")]
    full = current[: 3 - len(parts)] + parts
    if not all(full):
        raise SnowflakeError("090105", "Cannot perform operation. This session does not have a current database.", "22000")
    catalog, schema, stage = (names.encode(part) for part in full)
    return StageRef(catalog, schema, stage, path, ".".join(full)), stop


def require(account: Account, ref: StageRef) -> Path:
    """The stage's directory; an unknown stage is an error as in Snowflake."""
    sql = (
        "SELECT 1 FROM _fs_global._fs_information_schema._fs_stages"
        " WHERE database_name = ? AND schema_name = ? AND name = ?"
    )
    conn = account.connection()
    try:
        found = conn._duck_conn.execute(sql, ref.key()).fetchone()
    finally:
        conn._duck_conn.close()
    if not found:
        raise SnowflakeError(
            "002003", f"SQL compilation error:\nStage '{ref.shown}' does not exist or not authorized.", "02000"
        )
    return account.stages.joinpath(*ref.key())


def relative(path: str) -> str:
    """A path inside a stage; one that leaves it is refused."""
    clean = PurePosixPath(path.lstrip("/"))
    if ".." in clean.parts:
        raise SnowflakeError("091003", f"Invalid path in stage: '{path}'", "22000")
    return str(clean) if path.strip("/") else ""


def files_under(root: Path, prefix: str, pattern: str | None = None) -> list[str]:
    """Names of the stage's files that start with `prefix`, as Snowflake matches them."""
    found = []
    for directory, folders, files in os.walk(root):
        folders[:] = [f for f in folders if f != ".hidden"]
        base = os.path.relpath(directory, root)
        for file in files:
            name = file if base == "." else f"{base}/{file}"
            if name.startswith(prefix) and (pattern is None or re.fullmatch(pattern, name)):
                found.append(name)
    return sorted(found)


# Statements

_WORD = re.compile(r"\s*('(?:[^'\\]|''|\\.)*'|[^\s']+)", re.DOTALL)


def _argument(text: str) -> tuple[str, bool, str]:
    """The next word or quoted text: its value, whether it was quoted, and what follows."""
    match = _WORD.match(text)
    if not match:
        raise syntax("unexpected end of statement.")
    word = match[1]
    if word.startswith("'"):
        return re.sub(r"''|\\(.)", lambda m: m[1] or "'", word[1:-1]), True, text[match.end() :]
    return word, False, text[match.end() :]


def _stage_argument(text: str, session: Session) -> tuple[StageRef, str]:
    text = text.lstrip()
    if text.startswith("'"):
        value, _, rest = _argument(text)
        return read_reference(value, session, whole=True)[0], rest
    ref, end = read_reference(text, session, whole=False)
    return ref, text[end:]


def _options(text: str) -> dict[str, str]:
    found = re.findall(r"(\w+)\s*=\s*('(?:[^']|'')*'|[^\s]+)", text)
    return {key.upper(): value.strip("'") for key, value in found}


def put(session: Session, sql: str, base_url: str) -> dict[str, Any]:
    """Answer where to upload: a presigned URL as on GCS, the one kind that is a plain HTTP PUT."""
    source, _, rest = _argument(sql[3:])
    if not source.lower().startswith("file://"):
        raise syntax("PUT takes a source that starts with file://")
    ref, rest = _stage_argument(rest, session)
    options = _options(rest)
    require(session.account, ref)
    local = source[len("file://") :]
    name = local.rsplit("/", 1)[-1]
    folder = relative(ref.path)
    target = "/".join(part for part in (*ref.key(), folder, name) if part)
    compress = options.get("AUTO_COMPRESS", "TRUE").upper() == "TRUE"
    return {
        "command": "UPLOAD",
        "src_locations": [local],
        "parallel": int(options.get("PARALLEL", 4)),
        "threshold": 209715200,
        "autoCompress": compress,
        "overwrite": options.get("OVERWRITE", "FALSE").upper() == "TRUE",
        "sourceCompression": options.get("SOURCE_COMPRESSION", "auto_detect").lower(),
        "clientShowEncryptionParameter": False,
        "encryptionMaterial": None,
        "stageInfo": {
            "locationType": "GCS",
            "location": "/".join(part for part in (*ref.key(), folder) if part) + "/",
            "path": f"{folder}/" if folder else "",
            "region": "LOCAL",
            "storageAccount": None,
            "isClientSideEncrypted": False,
            "creds": {},
            "presignedUrl": session.server.uploads.sign(base_url, target),
            "endPoint": None,
        },
    }


def get(session: Session, sql: str, base_url: str) -> dict[str, Any]:
    ref, rest = _stage_argument(sql[3:], session)
    local, _, rest = _argument(rest)
    root = require(session.account, ref)
    files = files_under(root, relative(ref.path), _options(rest).get("PATTERN"))
    prefix = "/".join(ref.key())
    return {
        "command": "DOWNLOAD",
        "src_locations": files,
        "localLocation": local.removeprefix("file://"),
        "parallel": 4,
        "threshold": 209715200,
        "autoCompress": False,
        "overwrite": False,
        "encryptionMaterial": [],
        "presignedUrls": [session.server.uploads.sign(base_url, f"{prefix}/{file}") for file in files],
        "stageInfo": {"locationType": "GCS", "location": f"{prefix}/", "path": "", "region": "LOCAL", "creds": {}},
    }


def list_files(session: Session, sql: str) -> Answer:
    ref, rest = _stage_argument(sql.split(None, 1)[1] if " " in sql else "", session)
    root = require(session.account, ref)
    shown = names.decode(ref.stage).lower()
    rows = []
    for name in files_under(root, relative(ref.path), _options(rest).get("PATTERN")):
        status = (root / name).stat()
        rows.append((f"{shown}/{name}", status.st_size, digest(root, name), formatdate(status.st_mtime, usegmt=True)))
    columns = [("name", "VARCHAR"), ("size", "BIGINT"), ("md5", "VARCHAR"), ("last_modified", "VARCHAR")]
    return from_rows(columns, rows)


def remove(session: Session, sql: str) -> Answer:
    ref, rest = _stage_argument(sql.split(None, 1)[1], session)
    root = require(session.account, ref)
    shown = names.decode(ref.stage).lower()
    rows = []
    for name in files_under(root, relative(ref.path), _options(rest).get("PATTERN")):
        delete(root, name)
        rows.append((f"{shown}/{name}", "removed"))
    return from_rows([("name", "VARCHAR"), ("result", "VARCHAR")], rows)


def delete(root: Path, name: str) -> None:
    (root / name).unlink(missing_ok=True)
    _digest_file(root, name).unlink(missing_ok=True)


# Files


def _digest_file(root: Path, name: str) -> Path:
    return root / ".hidden" / (hashlib.sha256(name.encode()).hexdigest() + ".json")


def digest(root: Path, name: str) -> str:
    """MD5 of a file, kept beside it since its upload."""
    status = (root / name).stat()
    stamp = [status.st_size, status.st_mtime_ns]
    try:
        kept = json.loads(_digest_file(root, name).read_text())
        if kept["stamp"] == stamp:
            return kept["md5"]
    except (OSError, ValueError, KeyError):
        pass
    with (root / name).open("rb") as file:
        md5 = hashlib.file_digest(file, "md5").hexdigest()
    _keep_digest(root, name, md5)
    return md5


def _keep_digest(root: Path, name: str, md5: str) -> None:
    status = (root / name).stat()
    _digest_file(root, name).parent.mkdir(parents=True, exist_ok=True)
    _digest_file(root, name).write_text(json.dumps({"md5": md5, "stamp": [status.st_size, status.st_mtime_ns]}))


class Uploads:
    """The bucket: presigned URLs that expire, uploads that are seen whole or not at all."""

    def __init__(self, account: Account, lifetime: float) -> None:
        self._account, self._lifetime = account, lifetime
        self._key = secrets.token_bytes(32)

    def _signature(self, target: str, expires: int) -> str:
        return hmac.new(self._key, f"{target}\n{expires}".encode(), "sha256").hexdigest()

    def sign(self, base_url: str, target: str) -> str:
        expires = int(time.time() + self._lifetime)
        return f"{base_url}/fs_bucket/{quote(target)}?expires={expires}&signature={self._signature(target, expires)}"

    def refusal(self, target: str, expires: str, signature: str) -> str | None:
        if not expires.isdigit() or not hmac.compare_digest(self._signature(target, int(expires)), signature):
            return "SignatureDoesNotMatch"
        return "ExpiredToken" if time.time() > int(expires) else None

    def locate(self, target: str) -> tuple[Path, str]:
        catalog, schema, stage, name = target.split("/", 3)
        return self._account.stages / catalog / schema / stage, relative(name)

    async def receive(self, target: str, chunks: AsyncIterator[bytes]) -> int:
        root, name = self.locate(target)
        hidden = root / ".hidden"
        hidden.mkdir(parents=True, exist_ok=True)
        partial = hidden / f"upload-{secrets.token_hex(8)}"
        md5, size = hashlib.md5(usedforsecurity=False), 0
        try:
            with partial.open("wb") as file:
                async for chunk in chunks:
                    file.write(chunk)
                    md5.update(chunk)
                    size += len(chunk)
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            partial.replace(root / name)
        finally:
            partial.unlink(missing_ok=True)
        _keep_digest(root, name, md5.hexdigest())
        return size


