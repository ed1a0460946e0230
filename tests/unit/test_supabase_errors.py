"""What a Supabase answers, as our errors: by the codes of PostgREST, of Postgres and of the gateway, and where none came."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from postgrest import APIError

from graph_memory.errors import (
    ConfigurationError,
    ConflictError,
    SchemaOutdatedError,
    StoreError,
    StoreUnavailableError,
)
from graph_memory.supabase_errors import may_be_tried_again, translate, was_not_done

WHERE = "the Supabase at https://x.supabase.co"


def answered(code: Any, message: str = "secret words") -> APIError:
    """An error as the client raises it."""
    return APIError({"code": code, "message": message, "hint": None, "details": "secret details"})


@pytest.mark.parametrize(
    ("raised", "error", "words"),
    [
        (answered("PGRST301"), StoreError, "not made for this project"),
        (answered("PGRST303", "JWT expired"), StoreError, "has expired"),
        (answered("PGRST106"), ConfigurationError, "Exposed schemas"),
        (answered("PGRST202"), SchemaOutdatedError, "graph-memory migrate"),
        (answered("42883"), SchemaOutdatedError, "graph-memory migrate"),
        (answered("42501"), StoreError, "no right to that"),
        (answered("GM001"), ConflictError, "somebody else holds the slot"),
        (answered("54000"), StoreError, "too large"),
        (answered("57014"), StoreUnavailableError, "no answer in time"),
        (answered("57P01"), StoreUnavailableError, "cannot serve now"),
        (answered("PGRST003"), StoreUnavailableError, "cannot serve now"),
        (answered(None, "Invalid API key"), StoreError, "refuses the key"),
        (answered(401), StoreError, "refuses the key"),
        (answered("404"), ConfigurationError, "is no Supabase"),
        (answered("413"), StoreError, "too large"),
        (answered("429"), StoreUnavailableError, "cannot serve now"),
        (answered("522"), StoreUnavailableError, "cannot serve now"),
        (answered("22P02"), StoreError, "refused"),
        (httpx.ReadTimeout("secret"), StoreUnavailableError, "no answer within 3 s"),
        (httpx.PoolTimeout("secret"), StoreUnavailableError, "no answer within 3 s"),
        (httpx.ConnectError("secret"), StoreUnavailableError, "cannot be reached"),
    ],
)
def test_an_answer_becomes_one_sentence(raised: Exception, error: type[Exception], words: str) -> None:
    """It names the place, says what to do, and quotes nothing."""
    told = translate(raised, WHERE, 3.0)

    assert type(told) is error
    assert words in str(told)
    assert "secret" not in str(told)


@pytest.mark.parametrize(
    ("raised", "again", "not_done"),
    [
        (answered("40001"), True, True),
        (answered("PGRST003"), True, True),
        (answered("429"), True, True),
        (answered("PGRST001"), True, False),
        (answered("57P01"), True, False),
        (answered(503), True, False),
        (httpx.ConnectError(""), True, True),
        (httpx.ReadError(""), True, False),
        (httpx.RemoteProtocolError(""), True, False),
        (httpx.ReadTimeout(""), False, False),
        (answered("57014"), False, False),
        (answered("GM001"), False, False),
        (answered("PGRST301"), False, False),
        (ValueError(), False, False),
    ],
)
def test_what_is_tried_again(raised: Exception, again: bool, not_done: bool) -> None:
    """And what even where doing it twice would matter, because it certainly was not done."""
    assert (may_be_tried_again(raised), was_not_done(raised)) == (again, not_done)
