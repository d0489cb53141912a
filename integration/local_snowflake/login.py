"""Logins: any user by default, or only those of a users file, by password, token or key pair.

The users file is JSON: {"USER": {"password": "..."} | {"token": "..."} | {"public_key": "PEM"}}; what SHOW USER PROGRAMMATIC
ACCESS TOKENS tells of a user, as {"tokens": [{"name", "status", "expires_at"}]}. A refusal has Snowflake's codes and, like
there, HTTP status 200.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from .errors import SnowflakeError

_WRONG_PASSWORD = SnowflakeError("390100", "Incorrect username or password was specified.", "08001")
_WRONG_TOKEN = SnowflakeError("390303", "Invalid OAuth access token. ", "08001")
_WRONG_PAT = SnowflakeError("394400", "Programmatic access token is invalid.", "08001")
_WRONG_JWT = SnowflakeError("390144", "JWT token is invalid.", "08001")


class Users:
    """Reads the file at every login, so that a test can rotate a token while the server runs."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def check(self, data: dict[str, Any]) -> None:
        if self._path is None:
            return
        users = self._read()
        user = users.get(str(data.get("LOGIN_NAME", "")).upper(), {})
        method = str(data.get("AUTHENTICATOR") or "SNOWFLAKE").upper()
        token, password = str(data.get("TOKEN") or ""), str(data.get("PASSWORD") or "")
        if method == "SNOWFLAKE_JWT":
            _check_jwt(token, user.get("public_key"), f"{data.get('ACCOUNT_NAME')}.{data.get('LOGIN_NAME')}".upper())
        elif method == "OAUTH":
            # An OAuth login names its user in the token, so any user's token will do when none is given.
            candidates = [user] if data.get("LOGIN_NAME") else list(users.values())
            if not any(_same(entry.get("token"), token) for entry in candidates):
                raise _WRONG_TOKEN
        elif method == "PROGRAMMATIC_ACCESS_TOKEN":
            if not (_same(user.get("token"), token) or _same(user.get("token"), password)):
                raise _WRONG_PAT
        # A programmatic access token is also accepted where a password goes.
        elif not (_same(user.get("password"), password) or _same(user.get("token"), password)):
            raise _WRONG_PASSWORD

    def tokens(self, user: str) -> list[dict[str, str]]:
        return self._read().get(user, {}).get("tokens", [])

    def _read(self) -> dict[str, dict[str, Any]]:
        if self._path is None:
            return {}
        return {name.upper(): entry for name, entry in json.loads(self._path.read_text()).items()}


def _same(expected: str | None, given: str) -> bool:
    return bool(expected) and hmac.compare_digest(str(expected).encode(), given.encode())


def _check_jwt(token: str, public_key: str | None, subject: str) -> None:
    """As the documentation of key-pair authentication says: signed by the key, of this user, issued by this key."""
    if not public_key:
        raise _WRONG_JWT
    der = load_pem_public_key(public_key.encode()).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    issuer = f"{subject}.SHA256:{base64.b64encode(hashlib.sha256(der).digest()).decode()}"
    try:
        claims = jwt.decode(
            token, public_key, algorithms=["RS256"], issuer=issuer,
            options={"require": ["exp", "iat", "iss", "sub"]}, leeway=60,
        )  # fmt: skip
    except jwt.PyJWTError:
        raise _WRONG_JWT from None
    if claims["sub"] != subject or claims["exp"] - claims["iat"] > 3600:
        raise _WRONG_JWT
