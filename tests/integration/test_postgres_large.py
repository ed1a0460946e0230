"""Many memories on Postgres: small tenants among them and large namespaces, where vectors lie in the HNSW index."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Sequence

import psycopg
import pytest
from langgraph.store.base import GetOp, Op, PutOp, SearchOp

from graph_memory.context.fusion import FusionWeights
from graph_memory.namespaces import namespace
from graph_memory.stores import open_store
from graph_memory.stores._ops import encode_path
from graph_memory.stores._plan import plan
from graph_memory.stores._postgres_plan import Batch, to_text, vector_text
from graph_memory.stores._vectors import cosines
from graph_memory.stores.migrations import migrate
from graph_memory.stores.postgres import PostgresStore
from graph_memory.types import Scope
from tests.postgres_databases import run_sql

np = pytest.importorskip("numpy")
DIMS, SMALL = 8, 50
ALL = 50_000 if os.environ.get("GRAPH_MEMORY_SOAK") else 10_000
ADA = namespace(Scope(user_id="ada"), "notes")
PLACE = ("users", "ada")
READ = "SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'items'"
FILL = """
INSERT INTO graph_memory.namespaces (path, documents) VALUES ({path}, {count});
WITH made AS (
    INSERT INTO graph_memory.items (space, key, value, doc, created_at, updated_at, digest, length, terms)
    SELECT n.id, v.key, '{{"n": 1}}', '{{"n": 1}}', now(), now(), 'x', 0, '{{}}'
    FROM graph_memory.namespaces AS n, jsonb_each_text({vectors}) AS v WHERE n.path = {path}
    RETURNING id, space, key
)
INSERT INTO graph_memory.vectors (item, digest, space, graphed, embedding)
SELECT m.id, 'x', m.space, {graphed}, v.value::vector FROM made AS m JOIN jsonb_each_text({vectors}) AS v USING (key);
"""


def unit_vectors(count: int, seed: int) -> np.ndarray:
    """Random ones."""
    made = np.random.default_rng(seed).standard_normal((count, DIMS)).astype("<f4")
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True))


def fill(url: str, user: str, vectors: np.ndarray, graphed: bool) -> None:
    """A user's memories, put there by SQL, which is faster."""
    texts = json.dumps({str(n): vector_text(vector) for n, vector in enumerate(vectors)})
    path = "E'" + encode_path(namespace(Scope(user_id=user), "notes")).replace("\x1f", "\\x1f") + "'"
    run_sql(url, FILL.format(path=path, count=len(vectors), vectors=f"'{texts}'::jsonb", graphed=graphed))


def test_a_small_tenant_gets_all_ten_nearest(new_database: str) -> None:
    """A thousandth of 50,000 memories in `make soak`, under row-level security, beside everybody's in one index."""
    own, queries = unit_vectors(SMALL, 1), unit_vectors(20, 2)
    nearest = [[str(n) for n in np.argsort(-cosines(own, query))[:10]] for query in queries]
    migrate(new_database)
    fill(new_database, "ada", own, graphed=False)
    fill(new_database, "bob", unit_vectors(ALL - SMALL, 0), graphed=True)
    migrate(new_database, dims=DIMS)

    with open_store(new_database, user="ada", embed=lambda texts: [queries[int(text)] for text in texts]) as store:
        for graphed in (False, True):
            run_sql(
                new_database, f"UPDATE graph_memory.vectors SET graphed = {graphed} WHERE item <= {SMALL}", "ANALYZE"
            )
            found = [store.search(ADA, query=str(number), limit=10) for number in range(len(queries))]
            assert [[hit.key for hit in hits] for hits in found] == nearest


@pytest.mark.parametrize("user", [None, "ada"])
def test_a_plan_made_while_there_was_nothing_reads_no_more_than_it_must(new_database: str, user: str | None) -> None:
    """Of five hundred items a search for ten and a get read some tens."""
    migrate(new_database, dims=DIMS)
    asks = [_asked(SearchOp(ADA, query="tea", limit=10)), _asked(GetOp(ADA, "7"))]
    function, given = ("batch", []) if user is None else ("batch_as", [user])
    call = f"SELECT count(*) FROM graph_memory.{function}({'%s, ' * len(given)}%s)"
    with (
        psycopg.connect(new_database, autocommit=True) as connection,
        open_store(new_database, embed=lambda texts: list(unit_vectors(len(texts), 3))) as store,
    ):
        for ask in asks:
            connection.execute(call.encode(), [*given, ask])
        store.batch([PutOp(ADA, str(n), {"text": f"tea {n}"}) for n in range(500)])
        with connection.transaction():
            counts = [connection.execute(call.encode(), [*given, ask]).fetchone() for ask in asks]
            read = connection.execute(READ).fetchone()
    assert counts == [(11,), (1,)]
    assert read is not None
    assert 11 <= read[0] <= 100


@pytest.mark.parametrize(("dims", "is_together"), [(DIMS, True), (660, True), (661, False), (2001, False)])
def test_vectors_are_read_where_those_of_a_namespace_stand_together(
    new_database: str, dims: int, is_together: bool
) -> None:
    """In an index, where three of them fit on a page of it; larger ones in the table. They are found all the same."""
    vectors = np.random.default_rng(4).standard_normal((4, dims)).astype("<f4")
    migrate(new_database, dims=dims)
    with psycopg.connect(new_database, autocommit=True) as connection:
        call = "SELECT key FROM graph_memory.batch(%s) WHERE key IS NOT NULL"
        ask = _asked(SearchOp(PLACE, query="2", limit=1), vectors[2] / np.linalg.norm(vectors[2]))
        assert connection.execute(call.encode(), [ask]).fetchall() == []
        with open_store(new_database, embed=lambda texts: [vectors[int(text)] for text in texts]) as store:
            store.batch([PutOp(PLACE, str(n), {"text": str(n)}) for n in range(4)])
        assert connection.execute(call.encode(), [ask]).fetchall() == [("2",)]
        connection.execute("SELECT pg_stat_force_next_flush()")
        scans = connection.execute(
            "SELECT idx_scan > 0 FROM pg_stat_user_indexes WHERE indexrelname = 'vectors_together'"
        )
        assert scans.fetchall() == ([(True,)] if is_together else [])


def _asked(op: Op, vector: np.ndarray | None = None) -> str:
    """One operation as the server takes it; a search by a vector, the first of eight directions unless told otherwise."""
    todo = plan([op], None)
    found = np.eye(DIMS, dtype="<f4")[0] if vector is None else vector
    return to_text(Batch(todo, dict.fromkeys(todo.queries, found), FusionWeights()).payload({}))


def embed_numbers(texts: Sequence[str]) -> list[list[float]]:
    """Points on a circle, so that neighbouring numbers are near."""
    return [[math.sin(float(text)), math.cos(float(text)), *[0.001] * (DIMS - 2)] for text in texts]


@pytest.fixture
def large(new_database: str) -> Iterator[PostgresStore]:
    """A store with a namespace that counts as large, and 199 memories of it in the HNSW index."""
    migrate(new_database, dims=DIMS)
    with open_store(new_database, embed=embed_numbers) as store:
        assert isinstance(store, PostgresStore)
        store.put(PLACE, "0", {"text": "0"})
        run_sql(new_database, "UPDATE graph_memory.namespaces SET documents = 4000")
        store.batch([PutOp(PLACE, str(n), {"text": str(n / 100), "n": n}) for n in range(1, 200)])
        yield store


def test_a_filter_finds_what_is_far_away(large: PostgresStore) -> None:
    """However many of a large namespace are nearer."""
    found = large.search(PLACE, query="1.004", filter={"n": {"$gte": 195}}, limit=5)

    assert [hit.key for hit in found] == ["195", "196", "197", "198", "199"]
    assert len(large.search(PLACE, query="1.004", limit=300)) == 200


def test_what_is_left_of_a_large_namespace_is_found(large: PostgresStore) -> None:
    """By meaning, after most of it was deleted."""
    large.batch([PutOp(PLACE, str(n), None) for n in range(3, 200)])
    run_sql(large._pools._url, "UPDATE graph_memory.namespaces SET documents = 3")

    assert [hit.key for hit in large.search(PLACE, query="0.019", limit=2)] == ["2", "1"]
    assert [hit.parts["meaning_raw"] > 0.99 for hit in large.search(PLACE, query="0.019")] == [True] * 3
