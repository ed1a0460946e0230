"""What a Supabase's gateway, its PostgREST and its database answer, as the errors of this package. The one place for it.

No message holds a key, a token or what was stored. Importing this needs the `supabase` extra.
"""

from __future__ import annotations

import httpx
from postgrest import APIError

from graph_memory.errors import ConfigurationError, GraphMemoryError, StoreError, StoreUnavailableError
from graph_memory.sql_states import UNDONE, is_gone, outdated, refusal

SCHEMA = "graph_memory"

_TOKENS = frozenset({"PGRST300", "PGRST301", "PGRST302", "PGRST303"})
_BUSY = frozenset({"PGRST000", "PGRST001", "PGRST002", "PGRST003", "429", "502", "503"})
_NOT_BEGUN = frozenset({"PGRST000", "PGRST003", "429"})
_NO_RIGHTS = "42501"


def translate(exc: Exception, where: str, timeout_seconds: float) -> GraphMemoryError:
    """What an error of httpx or of PostgREST means to whoever uses the store or the checkpointer."""
    if isinstance(exc, APIError):
        return _answered(exc, where)
    if isinstance(exc, httpx.TimeoutException):
        return StoreUnavailableError(f"{where} gave no answer within {timeout_seconds:g} s")
    return StoreUnavailableError(f"{where} cannot be reached: check that it runs and that the url is right")


def may_be_tried_again(exc: BaseException) -> bool:
    """Whether the same call may succeed a moment later. A timeout is final."""
    if isinstance(exc, APIError):
        return _code(exc) in UNDONE | _BUSY or is_gone(_code(exc))
    return isinstance(exc, httpx.NetworkError | httpx.RemoteProtocolError)


def was_not_done(exc: BaseException) -> bool:
    """Whether the call certainly changed nothing, so that trying again doubles nothing."""
    if isinstance(exc, APIError):
        return _code(exc) in UNDONE | _NOT_BEGUN
    return isinstance(exc, httpx.ConnectError)


def _answered(exc: APIError, where: str) -> GraphMemoryError:
    code, words = _code(exc), exc.message or ""
    if code in _TOKENS:
        reason = "it has expired" if "expired" in words else "it was not made for this project"
        return StoreError(f"{where} refuses the token ({reason}): give a fresh one; token= may be a function that does")
    if code == _NO_RIGHTS:
        return StoreError(
            f"{where} refuses: whom the token or the key stands for has no right to that; nothing was written"
        )
    if code == "PGRST106":
        return ConfigurationError(
            f"{where} does not expose the schema {SCHEMA}: add it in Settings, Data API, Exposed schemas"
        )
    if code == "PGRST202":
        return outdated(where)
    if (refused := refusal(code, where)) is not None:
        return refused
    return _by_gateway(code, words, where)


def _by_gateway(code: str, words: str, where: str) -> GraphMemoryError:
    """What comes from before the database; the gateway's refusals of a key have no code."""
    if code == "401" or "API key" in words:
        return StoreError(f"{where} refuses the key: copy it anew from Settings, API Keys")
    if code in ("404", "PGRST125"):
        return ConfigurationError(f"{where} is no Supabase: write https://<project>.supabase.co")
    if code == "413":
        return StoreError(f"{where} cannot take that: a value is too large; nothing was written")
    if code in _BUSY or is_gone(code) or (code.startswith("5") and len(code) == 3):
        return StoreUnavailableError(f"{where} cannot serve now ({code}): try again")
    return StoreError(f"{where} refused ({code or 'no code'}); nothing was written")


def _code(exc: APIError) -> str:
    """PostgREST's or Postgres's code, else the HTTP status, which older clients give as a number."""
    return str(exc.code or "")
