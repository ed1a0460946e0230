"""JSON Web Tokens signed with HS256, as Supabase issues them: made and verified. For tests; nothing else is understood."""

from __future__ import annotations

import binascii
import hmac
import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Any

_LEEWAY_SECONDS = 30  # as PostgREST allows clocks to disagree


class TokenError(Exception):
    """A token is not to be trusted.

    Attributes:
        code: what PostgREST calls it.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def make_token(secret: str, **claims: Any) -> str:
    """A signed token of any claims."""
    head = _encoded(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    signed = f"{head}.{_encoded(json.dumps(claims).encode())}"
    return f"{signed}.{_encoded(_signature(secret, signed))}"


def user_token(secret: str, user: str | None, *, seconds: float = 3600, **claims: Any) -> str:
    """The token of a user who has signed in.

    Args:
        secret: of the project, or of somebody who forges it.
        user: its `sub`; None leaves it out.
        seconds: until it expires; negative is in the past.
        claims: others, or others' values.
    """
    named = {} if user is None else {"sub": user}
    given = {"role": "authenticated", "aud": "authenticated", "exp": round(time.time() + seconds), **named, **claims}
    return make_token(secret, **given)


def claims_of(secret: str, token: str) -> dict[str, Any]:
    """What a token says, once its signature and its times are verified.

    Raises:
        TokenError: it is malformed, signed by another or in another way, or its time is over or has not come.
    """
    signed, _, signature = token.rpartition(".")
    head, _, body = signed.partition(".")
    if token.count(".") != 2:
        raise TokenError("PGRST301", f"Expected 3 parts in JWT; got {token.count('.') + 1}")
    try:
        algorithm = json.loads(_decoded(head))["alg"]
        is_authentic = hmac.compare_digest(_decoded(signature), _signature(secret, signed))
        claims = json.loads(_decoded(body))
    except (binascii.Error, ValueError, KeyError, TypeError) as exc:
        raise TokenError("PGRST301", "JWT couldn't be decoded") from exc
    if algorithm != "HS256":
        raise TokenError("PGRST301", "Wrong or unsupported encoding algorithm")
    if not is_authentic:
        raise TokenError("PGRST301", "No suitable key or wrong key type")
    if not isinstance(claims, dict):
        raise TokenError("PGRST303", "Parsing claims failed")
    _check_times(claims, time.time())
    return claims


def _check_times(claims: dict[str, Any], now: float) -> None:
    for name in ("exp", "nbf", "iat"):
        if not isinstance(claims.get(name, 0), int | float):
            raise TokenError("PGRST303", f"The JWT '{name}' claim must be a number")
    if claims.get("exp", now) < now - _LEEWAY_SECONDS:
        raise TokenError("PGRST303", "JWT expired")
    if claims.get("nbf", now) > now + _LEEWAY_SECONDS:
        raise TokenError("PGRST303", "JWT not yet valid")
    if claims.get("iat", now) > now + _LEEWAY_SECONDS:
        raise TokenError("PGRST303", "JWT issued at future")


def _signature(secret: str, text: str) -> bytes:
    return hmac.new(secret.encode(), text.encode(), sha256).digest()


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
