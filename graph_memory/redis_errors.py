"""What redis-py raises, as the errors of this package. No message holds a password, a key or a value."""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit

from graph_memory.errors import ConfigurationError, GraphMemoryError, StoreError, StoreUnavailableError


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
    db = parts.path if parts.path not in ("", "/", "/0") else ""
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
    if isinstance(exc, driver.ReadOnlyError):
        return StoreUnavailableError(f"{where} is a read-only replica now: name the primary, or try again")
    if isinstance(exc, driver.OutOfMemoryError) or "OOM" in str(exc)[:200]:
        return StoreError(f"{where} has no memory left (maxmemory): raise it or delete something; nothing was written")
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
    """The first word of Redis's reply, such as WRONGTYPE, and nothing after it, which may quote arguments."""
    word = str(exc).partition(" ")[0]
    return word if word.isalpha() and word.isupper() else type(exc).__name__
