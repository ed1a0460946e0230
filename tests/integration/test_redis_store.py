"""The Redis store: as the SQLite store in all it answers, nothing left behind, limits said clearly, slots taken once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.store.base import GetOp, PutOp, SearchOp

from graph_memory.errors import ConfigurationError, ConflictError, StoreError
from graph_memory.stores import open_store
from graph_memory.stores.claims import ClaimOp
from graph_memory.stores.redis import RedisStore
from graph_memory.stores.sqlite import SqliteStore
from graph_memory.testing.stores import embed_concepts
from tests.redis_servers import Running, wait_until

ADA, BOB, NOTES = ("users", "ada"), ("users", "bob"), ("users", "ada", "notes")
SHORT = 0.003  # minutes: 0.18 s


@pytest.fixture
def prefix() -> str:
    """Keys of this test alone."""
    return uuid4().hex


@pytest.fixture
def store(redis_server: Running, prefix: str) -> Iterator[RedisStore]:
    """An empty store that ranks by words."""
    with RedisStore(redis_server.url, prefix=prefix) as store:
        yield store


def left(server: Running, prefix: str) -> list[bytes]:
    """The keys of one test."""
    with server.client() as client:
        return sorted(client.keys(f"{{{prefix}:*"))


def expire(server: Running, prefix: str) -> None:
    """As when the time to live of everything that has one is over."""
    with server.client() as client:
        for key in left(server, prefix):
            if b":item:" in key and client.pttl(key) > 0:
                client.pexpireat(key, 1)
            elif b":expiry:" in key:
                client.zadd(key, dict.fromkeys(client.zrange(key, 0, -1), 1))


keys = st.sampled_from("abcdé")
spaces = st.sampled_from([ADA, NOTES, BOB])
texts = st.lists(st.sampled_from(["tea", "coffee", "green", "cat", "the"]), min_size=1, max_size=4).map(" ".join)
values = st.one_of(st.none(), st.fixed_dictionaries({"text": texts, "n": st.integers(0, 3)}))
puts = st.builds(lambda *given: PutOp(*given), spaces, keys, values, st.sampled_from([None, None, False]))
filters = st.sampled_from([None, None, {"n": {"$gte": 1}}])
pages = st.tuples(st.integers(0, 3), st.integers(0, 2))
searches = st.builds(
    lambda where, query, condition, page: SearchOp(where, condition, page[0], page[1], query),
    spaces, st.sampled_from([None, "green tea", "cat", "the"]), filters, pages,
)  # fmt: skip
batches = st.lists(
    st.lists(st.one_of(puts, puts, st.builds(lambda *given: GetOp(*given), spaces, keys), searches), max_size=6),
    max_size=8,
)


def plain(result: Any) -> Any:
    """A result without its times."""
    if isinstance(result, list):
        hits = [(hit.namespace, hit.key, hit.value, hit.score, hit.parts) for hit in result]
        return hits, getattr(result, "statistics", None)
    return result and (result.namespace, result.key, result.value)


@pytest.mark.parametrize("is_async", [False, True])
def test_it_answers_as_the_sqlite_store_does(is_async: bool, redis_server: Running):
    """Random batches: items, pages, order, scores with their parts, statistics; two stores share the Redis, one only reads."""

    @given(batches)
    def check(some: list[list[Any]]) -> None:
        prefix = uuid4().hex
        with RedisStore(redis_server.url, prefix=prefix) as ours, SqliteStore(None) as theirs:
            reader = RedisStore(redis_server.url, prefix=prefix)
            for batch in some:
                prefix_free = [op for op in batch if not isinstance(op, SearchOp) or op.namespace_prefix != ADA]
                got = asyncio.run(ours.abatch(prefix_free)) if is_async else ours.batch(prefix_free)
                assert list(map(plain, got)) == list(map(plain, theirs.batch(prefix_free)))
                reads = [SearchOp(where, None, 20, 0, "green tea cat") for where in (NOTES, BOB)]
                assert list(map(plain, reader.batch(reads))) == list(map(plain, theirs.batch(reads)))
                both = [
                    SearchOp(ADA, None, 20, 0, "green tea cat"),
                    SearchOp((), None, 20),
                    SearchOp(("users",), None, 20),
                ]
                for one, other in zip(reader.batch(both), theirs.batch(both), strict=True):
                    assert sorted(map(repr, plain(one)[0])) == sorted(map(repr, plain(other)[0]))
                    assert plain(one)[1] == plain(other)[1]
                assert ours.list_namespaces() == theirs.list_namespaces()
            reader.close()

    check()


def test_meaning_ranks_as_in_the_sqlite_store(redis_server: Running, prefix: str):
    """Vectors are kept as float16, which moves a score by less than a thousandth."""
    with (
        RedisStore(redis_server.url, embed=embed_concepts, prefix=prefix) as ours,
        SqliteStore(None, embed=embed_concepts) as theirs,
    ):
        ops = [
            PutOp(ADA, str(n), {"text": text})
            for n, text in enumerate(["a cat", "my kitten and tea", "the sea", "invoice 47"])
        ]
        results = []
        for store in (ours, theirs):
            store.batch(ops)
            results.append(store.search(ADA, query="feline invoice"))
        assert [hit.key for hit in results[0]] == [hit.key for hit in results[1]]
        for one, other in zip(*results, strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-3)
            assert one.parts == pytest.approx(other.parts, abs=1e-3)
        assert results[0].statistics.spread is not None  # a sample, which depends on the order of writing


def test_nothing_is_left_when_all_is_deleted(store: RedisStore, redis_server: Running, prefix: str):
    """Neither indexes nor directories."""
    store.batch([PutOp(where, key, {"text": "tea"}) for where in (ADA, BOB, NOTES) for key in "ab"])
    assert left(redis_server, prefix)
    store.batch([PutOp(where, key, None) for where in (ADA, BOB, NOTES) for key in "ab"])
    assert left(redis_server, prefix) == []


def test_expired_items_leave_redis_by_themselves(store: RedisStore, redis_server: Running, prefix: str):
    """Values at once; what is left of the indexes with the next sweep, or later read or write."""
    store.batch([PutOp(ADA, key, {"text": "tea"}, ttl=SHORT) for key in "ab"])
    store.put(BOB, "stays", {"text": "tea"})
    with redis_server.client() as client:
        names = [key for key in left(redis_server, prefix) if b":order:users\x1fada" in key]
        assert 0 < client.pttl(names[0]) < 120_000
    wait_until(lambda: not [key for key in left(redis_server, prefix) if b":item:users\x1fada" in key])
    assert store.sweep_ttl() == 2
    assert [key for key in left(redis_server, prefix) if b"ada" in key] == []
    assert store.list_namespaces() == [BOB]


def test_a_namespace_that_is_kept_after_all_does_not_expire(store: RedisStore, redis_server: Running, prefix: str):
    """Its keys lose their own expiry with the first item that has none."""
    store.put(ADA, "a", {"text": "tea"}, ttl=1)
    store.put(ADA, "b", {"text": "tea"})
    with redis_server.client() as client:
        lives = [client.pttl(key) for key in left(redis_server, prefix) if b":item:" not in key]
    assert set(lives) == {-1}


def test_an_expired_item_is_not_counted(store: RedisStore, redis_server: Running, prefix: str):
    """Nor does it fill a page."""
    for n in range(5):
        store.put(ADA, f"old {n}", {"text": "tea"}, ttl=60)
    store.put(ADA, "kept", {"text": "tea"})
    store.put(ADA, "short", {"text": "tea"}, ttl=60)
    assert len(store.search(ADA, query="tea", limit=20)) == 7
    expire(redis_server, prefix)
    hits = store.search(ADA, query="tea", limit=1)
    assert ([hit.key for hit in hits], hits.statistics.documents) == (["kept"], 1)
    assert [hit.key for hit in store.search(ADA, limit=1)] == ["kept"]


def test_too_much_to_rank_is_said(redis_server: Running, prefix: str):
    """In one sentence that names the store to use; reading by key and listing go on."""
    with RedisStore(redis_server.url, prefix=prefix, most_ranked=3) as store:
        store.batch([PutOp(ADA, key, {"text": "tea"}) for key in "abc"])
        assert len(store.search(ADA, query="tea")) == 3
        store.put(NOTES, "d", {"text": "tea"})
        with pytest.raises(StoreError, match="at most 3 items, here are 4: keep them in Postgres"):
            store.search(ADA, query="tea")
        assert len(store.search(ADA)) == 4
        assert len(store.search(NOTES, query="tea")) == 1


def test_an_index_that_is_worn_is_read_anew(store: RedisStore):
    """After most of it was replaced, and it still finds what is there."""
    for n in range(200):
        store.put(ADA, "a", {"text": f"tea {n}"})
        assert [hit.key for hit in store.search(ADA, query=str(n))] == ["a"]
        assert store.search(ADA, query=f"{n - 1}") == []


def test_of_many_claims_one_succeeds(redis_server: Running, prefix: str):
    """From many threads; the others write nothing of their batch."""
    with RedisStore(redis_server.url, prefix=prefix) as store, ThreadPoolExecutor(8) as pool:

        def claim(who: int) -> bool:
            try:
                store.batch([ClaimOp(ADA, "slot", {"operation": str(who)}), PutOp(ADA, f"by {who}", {"who": who})])
            except ConflictError:
                return False
            return True

        won = [who for who, has_won in enumerate(pool.map(claim, range(24))) if has_won]
        assert len(won) == 1
        assert sorted(hit.key for hit in store.search(ADA)) == [f"by {won[0]}", "slot"]
        assert claim(won[0])
        with pytest.raises(ConflictError):
            store.batch([ClaimOp(ADA, "missing", {"operation": "x"}, must_exist=True)])


def test_of_many_puts_if_absent_one_succeeds(redis_server: Running, prefix: str):
    """From many tasks."""

    async def race() -> list[bool]:
        async with RedisStore(redis_server.url, prefix=prefix) as store:
            return await asyncio.gather(*(store.aput_if_absent(ADA, "slot", {"n": n}) for n in range(40)))

    assert sorted(asyncio.run(race())) == [False] * 39 + [True]


def test_an_embedder_of_another_size_is_refused(redis_server: Running, prefix: str):
    """On writing and on searching; nothing is written."""
    with RedisStore(redis_server.url, embed=embed_concepts, prefix=prefix) as store:
        store.put(ADA, "a", {"text": "a cat"})
    with RedisStore(redis_server.url, embed=lambda some: [[1.0, 0.0] for _ in some], prefix=prefix) as store:
        with pytest.raises(ConfigurationError, match="holds vectors of 5 dimensions, the embedder gives 2"):
            store.batch([PutOp(ADA, "c", {"n": 1}), PutOp(ADA, "b", {"text": "a dog"})])
        with pytest.raises(ConfigurationError, match="holds vectors of 5"):
            store.search(ADA, query="cat")
        assert [hit.key for hit in store.search(ADA)] == ["a"]


def test_one_store_serves_many_event_loops(store: RedisStore):
    """Each gets connections of its own, which are closed with it."""
    for n in range(5):
        asyncio.run(store.aput(ADA, str(n), {"n": n}))
        assert store.get(ADA, str(n)).value == {"n": n}
        assert len(asyncio.run(store.asearch(ADA))) == n + 1


def test_a_batch_without_search_is_one_round_trip(store: RedisStore, redis_server: Running, monkeypatch):
    """Whatever it reads and writes; a ranked search of one namespace takes two."""
    rounds: list[int] = []
    execute = store._server._execute
    monkeypatch.setattr(store._server, "_execute", lambda commands: rounds.append(len(commands)) or execute(commands))
    store.batch([*(PutOp(ADA, key, {"text": "tea"}) for key in "abc"), GetOp(ADA, "a"), GetOp(BOB, "b")])
    assert len(rounds) == 1
    store.search(ADA, query="tea")
    store.search(ADA, limit=2)
    assert len(rounds) == 5


def test_scripts_are_sent_again_after_a_flush(store: RedisStore, redis_server: Running):
    """As after a restart of Redis."""
    store.put(ADA, "a", {"text": "tea"})
    with redis_server.client() as client:
        client.script_flush()
    store.batch([GetOp(ADA, "a"), PutOp(ADA, "b", {"text": "tea"})])
    assert len(store.search(ADA, query="tea")) == 2


def test_a_closed_store_says_so(redis_server: Running):
    """In sync and in async use."""
    store = open_store(redis_server.url)
    with store:
        pass
    with pytest.raises(StoreError, match="closed"):
        store.batch([GetOp(ADA, "a")])
    with pytest.raises(StoreError, match="closed"):
        asyncio.run(store.abatch([GetOp(ADA, "a")]))
