"""Asks a Postgres database for what `postgres_facts` judges, and tries whether one user can reach another's memory."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any
from uuid import uuid4

from graph_memory.doctor.findings import Finding, latency, packages, timed, waiting
from graph_memory.doctor.postgres_facts import Schema, Server, judged_schema, judged_server
from graph_memory.errors import StoreError
from graph_memory.namespaces import namespace
from graph_memory.sql_files import migrations
from graph_memory.stores._postgres_pools import Pools
from graph_memory.stores.postgres import PostgresStore
from graph_memory.types import Scope
from graph_memory.urls import Place

_SERVER = """
SELECT current_setting('server_version_num')::integer,
    (SELECT extversion FROM pg_extension WHERE extname = 'vector'),
    (SELECT default_version FROM pg_available_extensions WHERE name = 'vector'),
    pg_is_in_recovery(),
    current_user::text,
    (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user)
        OR EXISTS (SELECT FROM pg_namespace WHERE nspname = 'graph_memory' AND pg_has_role(nspowner, 'USAGE')),
    (SELECT pg_has_role(oid, 'MEMBER') FROM pg_roles WHERE rolname = 'graph_memory_user'),
    (SELECT count(*)::integer FROM pg_stat_activity WHERE backend_type = 'client backend'),
    current_setting('max_connections')::integer
"""
_TABLES = "SELECT to_regclass('graph_memory.migrations') IS NOT NULL, to_regclass('checkpoint_migrations') IS NOT NULL"
_APPLIED = "SELECT version FROM graph_memory.migrations"
_CHECKPOINTS = "SELECT max(v) FROM checkpoint_migrations"
_SCHEMA = """
SELECT
    ARRAY(SELECT relname::text FROM pg_class AS c WHERE relnamespace = 'graph_memory'::regnamespace AND relkind IN ('r', 'p')
        AND NOT (relrowsecurity AND EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid))),
    ARRAY(SELECT proname::text FROM pg_proc WHERE pronamespace = 'graph_memory'::regnamespace
        AND (proacl IS NULL OR EXISTS (SELECT FROM aclexplode(proacl) WHERE grantee = 0) OR prosecdef)),
    ARRAY(SELECT indexrelid::regclass::text FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid
        WHERE relnamespace = 'graph_memory'::regnamespace AND NOT indisvalid),
    graph_memory.dimension(),
    (SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'graph_memory.items'::regclass),
    (SELECT count(*)::integer FROM graph_memory.items WHERE expires_at < now())
"""


def examine(place: Place, options: Mapping[str, Any]) -> list[Finding]:
    """What is found at a `postgresql://` url."""
    timeout_seconds = options["timeout_seconds"]
    with closing(Pools(place.url, most=1, timeout_seconds=timeout_seconds)) as pools:
        pools.connect("SELECT 1")  # says best why nobody answers
        server, newest = _server(pools), len(migrations())
        found = [packages("psycopg", "psycopg-pool", "langgraph-checkpoint-postgres"), *judged_server(server, newest)]
        found.append(latency(timed(lambda: pools.run("SELECT 1", []))))
        if not set(range(1, newest + 1)) <= set(server.applied):
            return found
        schema = Schema(*pools.run(_SCHEMA, [])[0])
    found += [*judged_schema(schema), waiting(schema.expired, "store.sweep_ttl(), regularly")]
    if server.may_become_user and not server.is_replica:
        found.append(_tried(place.url, timeout_seconds))
    return found


def _server(pools: Pools) -> Server:
    [[has_records, has_checkpoints]] = pools.run(_TABLES, [])
    [answers] = pools.run(_SERVER, [])
    applied = [version for (version,) in pools.run(_APPLIED, [])] if has_records else []
    checkpoints = pools.run(_CHECKPOINTS, [])[0][0] if has_checkpoints else None
    return Server(*[*answers, applied, checkpoints])


def _tried(url: str, timeout_seconds: float) -> Finding:
    """Two users who exist for this moment only: one keeps an item, the other must not see it."""
    one, other = (f"doctor {uuid4().hex}" for _ in range(2))
    space = namespace(Scope(user_id=one), "doctor")
    with (
        closing(PostgresStore(url, user=one, timeout_seconds=timeout_seconds, pool_size=1)) as theirs,
        closing(PostgresStore(url, user=other, timeout_seconds=timeout_seconds, pool_size=1)) as stranger,
    ):
        theirs.put(space, "probe", {"text": "probe"}, index=False, ttl=5)
        try:
            if stranger.get(space, "probe") is not None or stranger.search(()):
                return Finding(
                    "fail", "tried", "one user read what another had just written", "graph-memory migrate URL"
                )
            try:
                stranger.put(space, "probe", {"text": "other"}, index=False)
            except StoreError:
                return Finding("ok", "tried", "one user can neither read nor change what another has just written")
            return Finding(
                "fail", "tried", "one user changed what another had just written", "graph-memory migrate URL"
            )
        finally:
            theirs.delete(space, "probe")
