"""What a Postgres database says of itself, and what that means for memory. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graph_memory.doctor.findings import Finding

_OLDEST, _OLDEST_VECTOR = 15, (0, 8)
_POOLS = 20  # connections of one store: ten for threads and ten for the event loop
_MIGRATE = "graph-memory migrate URL"


@dataclass(frozen=True, slots=True)
class Server:
    """What every database can be asked.

    Attributes:
        version: such as 170002.
        vector: version of pgvector in this database; None where it was not created.
        offered: version of pgvector that could be created; None where the server has none.
        is_replica: whether it takes no writes.
        role: who is connected.
        sees_all: whether row-level security does not hold for that role.
        may_become_user: whether it may act as `graph_memory_user`; None while there is no such role.
        connections, most_connections: open ones, and the server's limit.
        applied: numbers of the migrations that are recorded.
        checkpoints: number of LangGraph's newest checkpoint migration; None without its tables.
    """

    version: int
    vector: str | None
    offered: str | None
    is_replica: bool
    role: str
    sees_all: bool
    may_become_user: bool | None
    connections: int
    most_connections: int
    applied: Sequence[int]
    checkpoints: int | None


@dataclass(frozen=True, slots=True)
class Schema:
    """What a migrated database can be asked.

    Attributes:
        unsecured: tables without row-level security, or without a policy.
        open_functions: functions that everybody may call, or that run as their owner.
        broken_indexes: indexes that a build which was broken off has left.
        dims: size of the vectors; None while any will do.
        items, expired: how many there are, and how many of them are over.
    """

    unsecured: Sequence[str]
    open_functions: Sequence[str]
    broken_indexes: Sequence[str]
    dims: int | None
    items: int
    expired: int


def judged_server(facts: Server, newest: int) -> list[Finding]:
    """What the answers of any database mean; `newest` is the migration that this version needs."""
    return [
        _version(facts),
        _vector(facts),
        _writes(facts),
        _migrations(facts, newest),
        _role(facts),
        _connections(facts),
        _checkpoints(facts),
    ]


def judged_schema(facts: Schema) -> list[Finding]:
    """What the answers of a migrated database mean."""
    dims = (
        f"vectors have {facts.dims} dimensions"
        if facts.dims
        else "no size of vectors is chosen: there is no HNSW index"
    )
    found = [
        Finding("ok", "store", f"about {facts.items:,} items; {dims}", "" if facts.dims else f"{_MIGRATE} --dims N"),
        _secured(facts),
    ]
    if facts.broken_indexes:
        says = f"not valid: {', '.join(facts.broken_indexes)}"
        found.append(Finding("warn", "indexes", says, "REINDEX INDEX CONCURRENTLY graph_memory.NAME"))
    return found


def _version(facts: Server) -> Finding:
    major, minor = divmod(facts.version, 10000)
    says = f"Postgres {major}.{minor}"
    if major < _OLDEST:
        return Finding("fail", "server", f"{says}: {_OLDEST} or newer is needed", "pg_upgrade the server")
    return Finding("ok", "server", says)


def _vector(facts: Server) -> Finding:
    if facts.vector is None and facts.offered is None:
        mend = f"install it on the server (Debian: postgresql-{facts.version // 10000}-pgvector)"
        return Finding("fail", "pgvector", "the server has no pgvector", mend)
    if facts.vector is None:
        return Finding("fail", "pgvector", f"pgvector {facts.offered} is there, but not in this database", _MIGRATE)
    if tuple(map(int, facts.vector.split(".")[:2])) < _OLDEST_VECTOR:
        says = f"pgvector {facts.vector}: 0.8 or newer is needed"
        return Finding("fail", "pgvector", says, "ALTER EXTENSION vector UPDATE")
    return Finding("ok", "pgvector", f"pgvector {facts.vector}")


def _writes(facts: Server) -> Finding:
    if facts.is_replica:
        return Finding("fail", "writes", "it is a read-only replica", "name the primary in the url")
    return Finding("ok", "writes", "it takes writes")


def _migrations(facts: Server, newest: int) -> Finding:
    missing = sorted(set(range(1, newest + 1)) - set(facts.applied))
    if missing:
        says = f"{len(missing)} of {newest} migrations are missing: {', '.join(map(str, missing))}"
        return Finding("fail", "migrations", says, _MIGRATE)
    if max(facts.applied) > newest:
        says = f"a newer graph_memory has applied migration {max(facts.applied)}, this one knows {newest}"
        return Finding("fail", "migrations", says, "pip install -U graph-memory")
    return Finding("ok", "migrations", f"all {newest} are applied")


def _role(facts: Server) -> Finding:
    if facts.may_become_user is False:
        says = f"{facts.role} may not act as graph_memory_user: a store cannot be opened for a user"
        return Finding("warn", "role", says, f'GRANT graph_memory_user TO "{facts.role}"')
    if facts.sees_all:
        says = f"{facts.role} sees every user's memory"
        mend = "open stores with user=, or connect as a role that is only in graph_memory_user"
        return Finding("warn", "role", says, mend)
    return Finding("ok", "role", f"row-level security holds for {facts.role}")


def _secured(facts: Schema) -> Finding:
    if facts.unsecured:
        mend = "ALTER TABLE graph_memory.NAME ENABLE ROW LEVEL SECURITY"
        return Finding(
            "fail", "security", f"row-level security is off, or has no policy: {', '.join(facts.unsecured)}", mend
        )
    if facts.open_functions:
        mend = "SELECT graph_memory.seal(), as the owner of the schema"
        return Finding("fail", "security", f"everybody may call {', '.join(facts.open_functions)}", mend)
    return Finding("ok", "security", "row-level security is on for every table")


def _connections(facts: Server) -> Finding:
    says = f"{facts.connections} of {facts.most_connections} connections are open; a store takes up to {_POOLS}"
    if facts.connections + _POOLS > facts.most_connections:
        return Finding(
            "warn", "pool", says, "raise max_connections, lower pool_size of the stores, or put a pooler between"
        )
    return Finding("ok", "pool", says)


def _checkpoints(facts: Server) -> Finding:
    if facts.checkpoints is None:
        return Finding("ok", "checkpoints", "LangGraph's tables are not there yet: open_checkpointer makes them")
    return Finding("ok", "checkpoints", f"LangGraph's tables are there, migration {facts.checkpoints}")
