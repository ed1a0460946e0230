"""What redis-py raises, as the errors of this package. No message holds a password, a key or a value."""

from __future__ import annotations

import re
import ssl
from urllib.parse import urlsplit

from graph_memory.errors import ConfigurationError, GraphMemoryError, StoreError, StoreUnavailableError

_FIRST, _IN_SCRIPT = re.compile(r"([A-Z]+)\b"), re.compile(r"^Error running script.{0,200}?-([A-Z]{3,})\b")
_CODES = {"ReadOnlyError": "READONLY", "OutOfMemoryError": "OOM"}
"""redis-py's classes for errors, whose texts lack the code."""


def place(url: str) -> str:
    """The url without user, password and options, for messages.

    Raises:
        ConfigurationError: it is no url of a Redis.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or 6379
    except ValueError as exc:
        raise ConfigurationError(
            "a url of Redis is redis://[user:password@]host[:port][/db]: its port is wrong"
        ) from exc
    if parts.scheme not in ("redis", "rediss"):
        raise ConfigurationError("a url of Redis begins with redis://, or with rediss:// for TLS")
    db = parts.path.strip("/")
    if db and not db.isdecimal():
        raise ConfigurationError("a url of Redis is redis://[user:password@]host[:port][/db]: db is a number")
    db = f"/{db}" if db not in ("", "0") else ""
    return f"{parts.scheme}://{parts.hostname or 'localhost'}:{port}{db}"


def translate(exc: Exception, where: str, timeout_seconds: float) -> GraphMemoryError:
    """What a driver error means to whoever uses the server."""
    from redis import exceptions as driver

    if _is_about_certificate(exc):
        return ConfigurationError(
            f"{where} shows a certificate that is not trusted: give ?ssl_ca_certs=<file> in its url"
        )
    if isinstance(exc, driver.AuthenticationError):
        return ConfigurationError(f"{where} refuses the user or the password, or asks for one: correct the url")
    if isinstance(exc, driver.NoPermissionError):
        return ConfigurationError(f"{where} does not let this user run what is needed: widen its access list")
    if isinstance(exc, driver.BusyLoadingError):
        return StoreUnavailableError(f"{where} is still loading its data: try again")
    if isinstance(exc, (driver.TimeoutError, TimeoutError)):
        return StoreUnavailableError(f"{where} gave no answer within {timeout_seconds:g} s: check that it runs")
    if isinstance(exc, (driver.ClusterDownError, driver.MasterDownError, driver.TryAgainError, driver.ClusterError)):
        return StoreUnavailableError(f"the cluster at {where} cannot serve all its slots now: try again")
    if _code(exc) == "READONLY":
        return StoreUnavailableError(f"{where} is a read-only replica now: name the primary, or try again")
    if _code(exc) == "OOM":
        return StoreError(f"{where} has no memory left (maxmemory): raise it or delete something; nothing was written")
    if _code(exc) == "MISCONF":
        return StoreError(f"{where} cannot write to its disk and refuses changes: look at its log and its disk")
    if isinstance(exc, (driver.ConnectionError, driver.RedisClusterException, OSError)):
        return StoreUnavailableError(f"{where} cannot be reached: check that it runs and that the url is right")
    return StoreError(f"{where} refused a command ({_code(exc)})")


def _is_about_certificate(exc: BaseException | None) -> bool:
    while exc is not None:
        if isinstance(exc, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(exc):
            return True
        exc = exc.__cause__ or exc.__context__
    return False


def _code(exc: Exception) -> str:
    """What Redis calls the error, such as WRONGTYPE, also inside a script; and nothing after it, which may quote arguments."""
    if type(exc).__name__ in _CODES:
        return _CODES[type(exc).__name__]
    found = _IN_SCRIPT.search(str(exc)) or _FIRST.match(str(exc))
    return found[1] if found else type(exc).__name__
