"""A stand-in for Supabase's data API: PostgREST's RPC route over a Postgres of your own, on loopback. For tests.

    install_roles(url)                        # as a superuser, before the database is migrated
    with PostgrestServer(url) as supabase:
        open_store(supabase.url, key=supabase.anon_key, token=supabase.token("ada"))

What it imitates, after PostgREST 14 and Supabase's gateway: `POST /rest/v1/rpc/<function>` with named arguments; the `apikey`
header and the bearer token, HS256 with its expiry; the roles `anon`, `authenticated` and `service_role`, and any other that a
token names and the `authenticator` may become; `request.jwt.claims`; the exposed schemas and `Content-Profile`; one transaction
per request, read-only for functions that are not volatile; a statement timeout; limits of the body and of the rows that a
function returns; the JSON of results and of errors, with their statuses.

What it does not: tables, views and filters, GET, `Prefer`, asymmetric keys, the schema cache (functions are looked up anew, so
nothing ever has to be reloaded), realtime, storage, and signing in.

Needs the `postgres` extra.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from secrets import token_hex
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg.sql import SQL, Composed, Identifier
from psycopg_pool import ConnectionPool

from graph_memory.testing._http import LoopbackServer, Response
from graph_memory.testing._tokens import TokenError, claims_of, make_token, user_token

__all__ = ["PostgrestServer", "install_roles", "make_token", "user_token"]

_ROUTE = "/rest/v1/rpc/"
_FUNCTION = """
SELECT p.proretset, p.prorettype = 'void'::regtype, p.provolatile <> 'v', p.proargnames,
    array(SELECT format_type(a.type, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY AS a (type, at) ORDER BY a.at),
    p.pronargs - p.pronargdefaults
FROM pg_proc AS p WHERE p.pronamespace = to_regnamespace(quote_ident(%s)) AND p.proname = %s AND p.prokind = 'f'
"""
_STATUSES = {
    "23503": 409, "23505": 409, "25006": 405, "42883": 404, "42P01": 404, "42P17": 500, "53400": 500, "P0001": 400,
}  # fmt: skip
_STATUS_OF_CLASS = {
    "08": 503, "09": 500, "0L": 403, "0P": 403, "25": 500, "28": 403, "2D": 500, "38": 500, "39": 500, "3B": 500,
    "40": 500, "53": 503, "54": 500, "55": 500, "57": 500, "58": 500, "F0": 500, "HV": 500, "P0": 500, "XX": 500,
}  # fmt: skip
_ROLES = """
DO $$
DECLARE
    made text;
BEGIN
    FOREACH made IN ARRAY ARRAY[
        'anon NOLOGIN', 'authenticated NOLOGIN', 'service_role NOLOGIN BYPASSRLS', 'authenticator LOGIN NOINHERIT'
    ] LOOP
        BEGIN
            EXECUTE 'CREATE ROLE ' || made;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
    GRANT anon, authenticated, service_role TO authenticator;
END
$$
"""


def install_roles(url: str) -> None:
    """Makes the roles that every Supabase has, where they are missing. Needs a superuser, as whom no test should run."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_ROLES)


class _Refusal(Exception):
    """What is answered instead of a result."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status)
        self.status, self.body = status, body


class PostgrestServer:
    """Runs from the start of a `with` block to its end.

    Args:
        database: url of the Postgres; its role must be allowed to become the three roles, such as `authenticator`.
        schemas: those that are exposed; the first is the default.
        statement_timeout_seconds: what Supabase grants signed-in users by default.
        most_bytes: of a request's body.
        most_rows: of a result; the others are left out, as Supabase does by default.
        connections: to the database.

    Attributes:
        anon_key: the key for applications whose users sign in.
        service_key: the key that stands above row-level security.
        secret: what tokens are signed with.
        requests: how many there were.
    """

    def __init__(
        self,
        database: str,
        *,
        schemas: tuple[str, ...] = ("graph_memory",),
        statement_timeout_seconds: float = 8.0,
        most_bytes: int = 50_000_000,
        most_rows: int = 1000,
        connections: int = 10,
    ) -> None:
        self.secret = token_hex(32)
        self.anon_key = make_token(self.secret, role="anon", iss="supabase")
        self.service_key = make_token(self.secret, role="service_role", iss="supabase")
        self.schemas, self._most_rows = schemas, most_rows
        self._timeout = f"{round(statement_timeout_seconds * 1000)}ms"
        self._pool = ConnectionPool(
            database, min_size=0, max_size=connections, open=False, kwargs={"prepare_threshold": None}, timeout=10
        )
        self._server = LoopbackServer(self._answered, most_bytes=most_bytes)
        self.requests = 0

    @property
    def url(self) -> str:
        """Of the project, as a client is given it."""
        return self._server.url

    def token(self, user: str | None, **options: Any) -> str:
        """A user's token, see `user_token`."""
        return user_token(self.secret, user, **options)

    def __enter__(self) -> Self:
        self._pool.open()
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()
        self._pool.close()

    def _answered(self, path: str, headers: Any, body: bytes) -> Response:
        self.requests += 1
        try:
            claims = self._claims(headers)
            schema, function = self._place(path, headers)
            arguments = _arguments(body)
            return self._called(schema, function, arguments, claims)
        except _Refusal as refusal:
            return Response(refusal.status, json.dumps(refusal.body).encode())

    def _claims(self, headers: Any) -> dict[str, Any]:
        """Who asks: the gateway looks at the key, PostgREST at the bearer, which is the key when there is none."""
        key = headers.get("apikey")
        if key not in (self.anon_key, self.service_key):
            told = {"message": "No API key found in request"} if key is None else {"message": "Invalid API key"}
            raise _Refusal(HTTPStatus.UNAUTHORIZED, {**told, "hint": "Double check your Supabase API key."})
        scheme, _, token = headers.get("Authorization", f"Bearer {key}").partition(" ")
        if scheme.lower() != "bearer":
            return {"role": "anon"}
        try:
            return {"role": "anon", **claims_of(self.secret, token.strip())}
        except TokenError as exc:
            raise _refused(HTTPStatus.UNAUTHORIZED, exc.code, str(exc)) from exc

    def _place(self, path: str, headers: Any) -> tuple[str, str]:
        if not path.startswith(_ROUTE):
            raise _refused(HTTPStatus.NOT_FOUND, "PGRST125", "Invalid path specified in request URL")
        schema = headers.get("Content-Profile", self.schemas[0])
        if schema not in self.schemas:
            exposed = ", ".join(self.schemas)
            hint = f"Only the following schemas are exposed: {exposed}"
            raise _refused(HTTPStatus.NOT_ACCEPTABLE, "PGRST106", f"Invalid schema: {schema}", hint)
        return schema, path.removeprefix(_ROUTE)

    def _called(self, schema: str, function: str, arguments: dict[str, Any], claims: dict[str, Any]) -> Response:
        try:
            with self._pool.connection() as connection:
                called = _found(connection, schema, function, arguments)
                connection.execute(
                    "SELECT set_config('search_path', %s, true), set_config('request.jwt.claims', %s, true), "
                    "set_config('statement_timeout', %s, true), set_config('transaction_read_only', %s, true), "
                    "set_config('role', %s, true)",
                    [
                        f"{schema}, public, extensions", json.dumps(claims), self._timeout,
                        str(called.is_read_only), str(claims["role"]),
                    ],
                )  # fmt: skip
                rows = connection.execute(called.statement(self._most_rows), [json.dumps(arguments)]).fetchall()
        except psycopg.Error as exc:
            raise _failure(exc, claims) from exc
        return Response(HTTPStatus.NO_CONTENT) if called.is_void else Response(body=str(rows[0][0]).encode())


@dataclass(frozen=True, slots=True)
class _Called:
    """A function with its arguments, as SQL, and what kind of function it is."""

    call: Composed
    is_set: bool
    is_void: bool
    is_read_only: bool

    def statement(self, most_rows: int) -> Composed:
        """What gives its result as JSON."""
        if not self.is_set:
            return SQL("SELECT to_json(called)::text FROM {}").format(self.call)
        rows = SQL("(SELECT called FROM {} LIMIT {}) AS taken").format(self.call, most_rows)
        return SQL("SELECT coalesce(json_agg(called), '[]')::text FROM {}").format(rows)


def _found(connection: psycopg.Connection[Any], schema: str, function: str, arguments: dict[str, Any]) -> _Called:
    """The function that takes these arguments."""
    for is_set, is_void, is_read_only, names, types, needed in connection.execute(_FUNCTION, [schema, function]):
        known = dict(zip((names or [])[: len(types)], types, strict=True))
        if set(arguments) <= set(known) and set(list(known)[:needed]) <= set(arguments):
            call = _call(schema, function, {name: known[name] for name in arguments})
            return _Called(call, is_set, is_void, is_read_only)
    names = ", ".join(sorted(arguments))
    message = f"Could not find the function {schema}.{function}({names}) in the schema cache"
    raise _refused(HTTPStatus.NOT_FOUND, "PGRST202", message)


def _call(schema: str, function: str, arguments: dict[str, str]) -> Composed:
    name = SQL("{}.{}").format(Identifier(schema), Identifier(function))
    if not arguments:
        return SQL("(SELECT %s) AS nothing, {}() AS called").format(name)
    columns = SQL(", ").join(SQL("{} {}").format(Identifier(arg), SQL(type_)) for arg, type_ in arguments.items())
    given = SQL(", ").join(SQL("{0} => given.{0}").format(Identifier(arg)) for arg in arguments)
    return SQL("json_to_record(%s) AS given ({}), LATERAL {}({}) AS called").format(columns, name, given)


def _arguments(body: bytes) -> dict[str, Any]:
    try:
        given = json.loads(body or b"{}")
    except ValueError as exc:
        raise _refused(HTTPStatus.BAD_REQUEST, "PGRST102", "Empty or invalid json") from exc
    if not isinstance(given, dict):
        raise _refused(HTTPStatus.BAD_REQUEST, "PGRST102", "All object keys must match")
    return given


def _failure(exc: psycopg.Error, claims: dict[str, Any]) -> _Refusal:
    """A database error as PostgREST tells it."""
    code = exc.sqlstate or ""
    if not code:
        return _refused(HTTPStatus.SERVICE_UNAVAILABLE, "PGRST001", "Could not query the database. Retrying.")
    status = _STATUSES.get(code) or _STATUS_OF_CLASS.get(code[:2], HTTPStatus.BAD_REQUEST)
    if code == "42501":
        status = HTTPStatus.UNAUTHORIZED if claims["role"] == "anon" else HTTPStatus.FORBIDDEN
    diag = exc.diag
    return _refused(status, code, diag.message_primary or "", diag.message_hint, diag.message_detail)


def _refused(status: int, code: str, message: str, hint: str | None = None, details: str | None = None) -> _Refusal:
    return _Refusal(status, {"code": code, "details": details, "hint": hint, "message": message})
