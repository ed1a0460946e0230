"""The stand-in for Supabase's data API answers as PostgREST does: who asks, what is called, what comes back, what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from graph_memory.testing.postgrest import PostgrestServer, make_token, user_token
from tests.postgres_databases import run_sql

ASKS = """
CREATE SCHEMA api;
CREATE TYPE api.pair AS (name text, n integer);
CREATE FUNCTION api.who() RETURNS text LANGUAGE sql AS
    $$ SELECT current_user || ' ' || coalesce(current_setting('request.jwt.claims', true)::jsonb ->> 'sub', '-') $$;
CREATE FUNCTION api.add(a integer, b integer DEFAULT 1) RETURNS integer LANGUAGE sql AS 'SELECT a + b';
CREATE FUNCTION api.pairs(given jsonb) RETURNS SETOF api.pair LANGUAGE sql AS
    $$ SELECT key, value::integer FROM jsonb_each_text(given) $$;
CREATE FUNCTION api.names(given text[]) RETURNS SETOF text LANGUAGE sql AS 'SELECT unnest(given)';
CREATE FUNCTION api.all_names(given text[]) RETURNS json LANGUAGE sql AS 'SELECT array_to_json(given)';
CREATE TABLE api.notes (n integer);
GRANT SELECT, INSERT ON api.notes TO anon;
CREATE FUNCTION api.note() RETURNS integer LANGUAGE sql AS 'INSERT INTO api.notes VALUES (1) RETURNING n';
CREATE FUNCTION api.note_stably() RETURNS integer LANGUAGE plpgsql STABLE AS 'BEGIN RETURN api.note(); END';
CREATE FUNCTION api.nothing() RETURNS void LANGUAGE sql AS 'SELECT';
CREATE FUNCTION api.sleep() RETURNS void LANGUAGE sql AS 'SELECT pg_sleep(5)';
CREATE FUNCTION api.fail(code text) RETURNS void LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'no' USING errcode = code, hint = 'try', detail = 'so'; END $$;
CREATE FUNCTION api.own() RETURNS integer LANGUAGE sql AS 'SELECT 1';
REVOKE ALL ON FUNCTION api.own() FROM public;
GRANT USAGE ON SCHEMA api TO anon, authenticated, service_role;
"""


@pytest.fixture
def server(supabase_server: str, request: pytest.FixtureRequest) -> Iterator[PostgrestServer]:
    """A stand-in over a database with some functions."""
    name = f"api_{id(request):x}"
    run_sql(supabase_server.format("postgres", "postgres"), f"CREATE DATABASE {name}")
    run_sql(supabase_server.format("postgres", name), ASKS)
    database = supabase_server.format("authenticator", name)
    with PostgrestServer(
        database, schemas=("api",), statement_timeout_seconds=0.3, most_bytes=6000, connections=3
    ) as opened:
        yield opened
    run_sql(supabase_server.format("postgres", "postgres"), f"DROP DATABASE {name} WITH (FORCE)")


def ask(server: PostgrestServer, function: str, token: str | None = None, **arguments: Any) -> httpx.Response:
    """A call as a client makes it."""
    headers = {"apikey": server.anon_key, "Authorization": f"Bearer {token or server.anon_key}"}
    return httpx.post(f"{server.url}/rest/v1/rpc/{function}", headers=headers, json=arguments)


def test_the_token_says_who_asks(server: PostgrestServer) -> None:
    """Role and claims are those of the request, many of which may be under way at once."""
    assert ask(server, "who").json() == "anon -"
    assert ask(server, "who", server.service_key).json() == "service_role -"
    users = [f"user {n}" for n in range(20)]
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda user: ask(server, "who", server.token(user)).json(), users))
    assert said == [f"authenticated {user}" for user in users]


def test_results_are_what_the_function_returns(server: PostgrestServer) -> None:
    """Rows as objects, scalars as they are, nothing as no content; arguments have names and defaults."""
    assert ask(server, "pairs", given={"a": 1, "b": 2}).json() == [{"name": "a", "n": 1}, {"name": "b", "n": 2}]
    assert ask(server, "pairs", given={}).json() == []
    assert ask(server, "names", given=["x", "y"]).json() == ["x", "y"]
    assert ask(server, "add", a=2).json() == 3
    assert ask(server, "add", b=3, a=2).json() == 5
    assert (ask(server, "nothing").status_code, ask(server, "nothing").content) == (204, b"")


def test_a_long_result_is_cut_off(server: PostgrestServer) -> None:
    """Where it is rows; one value may be as long as it likes."""
    assert ask(server, "names", given=["x"] * 1001).json() == ["x"] * 1000
    assert len(ask(server, "all_names", given=["x"] * 1001).json()) == 1001


def test_only_volatile_functions_write(server: PostgrestServer) -> None:
    """Others run in a transaction that may only read."""
    assert ask(server, "note").json() == 1
    refused = ask(server, "note_stably")
    assert (refused.status_code, refused.json()["code"]) == (405, "25006")


def tampered(token: str) -> str:
    """The same with another user in it."""
    head, _, signature = token.split(".")
    return f"{head}.{make_token('x', sub='bob', role='service_role').split('.')[1]}.{signature}"


def unsigned(server: PostgrestServer) -> str:
    """A token that says it needs no signature."""
    head = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"
    return f"{head}.{server.token('ada').split('.')[1]}."


@pytest.mark.parametrize(
    ("make", "code", "message"),
    [
        (lambda server: server.token("ada", seconds=-60), "PGRST303", "JWT expired"),
        (lambda server: server.token("ada", nbf=4e9), "PGRST303", "JWT not yet valid"),
        (lambda server: server.token("ada", exp="never"), "PGRST303", "claim must be a number"),
        (lambda server: user_token("another secret", "ada"), "PGRST301", "No suitable key"),
        (lambda server: tampered(server.token("ada")), "PGRST301", "No suitable key"),
        (unsigned, "PGRST301", "Wrong or unsupported encoding algorithm"),
        (lambda server: "nonsense", "PGRST301", "Expected 3 parts in JWT; got 1"),
        (lambda server: "a.b.c", "PGRST301", "decoded"),
    ],
)
def test_tokens_that_are_not_to_be_trusted_are_refused(
    server: PostgrestServer, make: Any, code: str, message: str
) -> None:
    """With 401 and PostgREST's code."""
    answer = ask(server, "who", make(server))
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert message in answer.json()["message"]
    assert server.requests == 1


def test_the_gateway_wants_a_key(server: PostgrestServer) -> None:
    """Before anything else; a user's token is none."""
    url = f"{server.url}/rest/v1/rpc/who"
    assert httpx.post(url, json={}).status_code == 401
    wrong = httpx.post(url, json={}, headers={"apikey": server.token("ada")})
    assert (wrong.status_code, wrong.json()["message"]) == (401, "Invalid API key")


@pytest.mark.parametrize(
    ("function", "arguments", "status", "code"),
    [
        ("absent", {}, 404, "PGRST202"),
        ("add", {"c": 1}, 404, "PGRST202"),
        ("fail", {"code": "GM001"}, 400, "GM001"),
        ("fail", {"code": "23505"}, 409, "23505"),
        ("fail", {"code": "40001"}, 500, "40001"),
        ("fail", {"code": "53300"}, 503, "53300"),
        ("add", {"a": "x"}, 400, "22P02"),
        ("sleep", {}, 500, "57014"),
        ("own", {}, 401, "42501"),
    ],
)
def test_errors_have_postgrests_status_and_code(
    server: PostgrestServer, function: str, arguments: dict[str, Any], status: int, code: str
) -> None:
    """And its four fields."""
    answer = ask(server, function, **arguments)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert set(answer.json()) == {"code", "details", "hint", "message"}


def test_a_role_without_the_right_is_forbidden(server: PostgrestServer) -> None:
    """Where it has signed in; and so is becoming a role that nobody may become."""
    assert ask(server, "own", server.token("ada")).status_code == 403
    assert ask(server, "who", server.token("ada", role="postgres")).json()["code"] == "42501"


def test_only_exposed_schemas_are_reached(server: PostgrestServer) -> None:
    """Named by a header."""
    headers = {"apikey": server.anon_key, "Content-Profile": "pg_catalog"}
    answer = httpx.post(f"{server.url}/rest/v1/rpc/version", headers=headers, json={})
    assert (answer.status_code, answer.json()["code"]) == (406, "PGRST106")
    assert httpx.post(f"{server.url}/elsewhere", headers=headers, json={}).status_code == 404


def test_a_body_that_is_too_large_or_no_json_is_refused(server: PostgrestServer) -> None:
    """The first by the gateway, in its own way."""
    assert ask(server, "names", given=["x" * 6000]).status_code == 413
    headers = {"apikey": server.anon_key}
    answer = httpx.post(f"{server.url}/rest/v1/rpc/who", headers=headers, content=b"[1")
    assert (answer.status_code, answer.json()["code"]) == (400, "PGRST102")


def test_a_request_leaves_no_trace(server: PostgrestServer) -> None:
    """Settings end with its transaction, whether it failed or not."""
    for function in ("who", "fail"):
        for _ in range(4):
            ask(server, function, server.token("ada"), **({"code": "GM001"} if function == "fail" else {}))
        assert ask(server, "who").json() == "anon -"
