"""Tenants on Supabase: whose memory it is says the token, whatever the application passes, or whoever calls without it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.store.base import GetOp, ListNamespacesOp, PutOp, SearchOp

from graph_memory.errors import StoreError
from graph_memory.namespaces import namespace, user_prefix
from graph_memory.stores import open_store
from graph_memory.stores._plan import plan
from graph_memory.stores._postgres_plan import Batch, FusionWeights, written
from graph_memory.stores.claims import ClaimOp
from graph_memory.testing.postgrest import make_token, user_token
from graph_memory.testing.stores import embed_concepts
from graph_memory.types import Scope
from tests.supabase_projects import Project

ADA, BOB = namespace(Scope(user_id="ada"), "notes"), namespace(Scope(user_id="bob"), "notes")
ATTEMPTS = 2000 if os.environ.get("GRAPH_MEMORY_SOAK") else 100
slow = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=ATTEMPTS
)
LIKE_ADA = (
    "ad", "adaa", "ada.b", "ada:", "ADA", "%", "_", "*", "ada' OR true --", "user:ada:", "=61da", "ada\x1f", "ädä",
    "ada ", '"ada"', '{"sub":"ada"}', "$1", "\\ada", "a\nda", "..", "ada/../ada",
)  # fmt: skip
ids = st.one_of(
    st.sampled_from(LIKE_ADA),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12),
)
READS = (
    GetOp(ADA, "k"),
    SearchOp(ADA),
    SearchOp((), query="cat"),
    SearchOp(user_prefix("ada"), filter={"n": {"$gte": 0}}, query="feline"),
    SearchOp(("graph_memory",), filter={"n": 1}),
    ListNamespacesOp(),
)
WRITES = (
    PutOp(ADA, "k", {"n": 2}),
    PutOp(ADA, "new", {"n": 2}),
    PutOp(ADA, "k", None),
    ClaimOp(ADA, "k", {"n": 2}),
)


@pytest.fixture
def everything(supabase: Project) -> Iterator[Any]:
    """A store that sees all, with something of Ada's in it."""
    with supabase.opened(open_store, embed=embed_concepts) as store:
        store.put(ADA, "k", {"text": "the cat", "n": 1})
        yield store


def state(store: Any) -> Any:
    """All that is stored, times included."""
    return [hit.dict() for hit in store.search((), limit=100)]


@slow
@given(user=ids, read=st.sampled_from(READS), write=st.sampled_from(WRITES))
def test_nobody_reads_or_changes_what_is_anothers(
    everything: Any, supabase: Project, user: str, read: Any, write: Any
) -> None:
    """Whatever namespace the application passes, and whatever the id in the token looks like."""
    before = state(everything)
    with open_store(supabase.url, embed=embed_concepts, **supabase.signed_in(user)) as store:
        [found] = store.batch([read])
        with pytest.raises(StoreError) as refused:
            store.batch([write])
        with pytest.raises(StoreError):
            store.put_if_absent(ADA, "new", {"n": 2})
        store.sweep_ttl()

    assert not found
    assert "cat" not in str(refused.value)
    if hasattr(found, "statistics"):
        assert (found.statistics.documents, set(found.statistics.frequencies.values()) - {0}) == (0, set())
    assert state(everything) == before


def bad_tokens(project: Project) -> dict[str, Any]:
    """By what is wrong with them."""
    good = project.token("ada")
    head, body, signature = good.split(".")
    return {
        "forged": user_token("a secret of somebody else's, quite long", "ada"),
        "forged service": make_token("a secret of somebody else's, quite long", role="service_role"),
        "tampered": f"{head}.{user_token('x', 'ada', role='service_role').split('.')[1]}.{signature}",
        "unsigned": f"eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{body}.",
        "cut": good[:-3],
        "expired": project.token("ada", seconds=-3600),
        "not yet valid": project.token("ada", nbf=4e9),
        "without user": project.token(None),
        "empty user": project.token(""),
        "null user": project.token(None, sub=None),
        "anonymous": project.token("ada", role="anon"),
        "no such role": project.token("ada", role="root"),
        "superuser": project.token("ada", role="postgres"),
        "missing": project.anon_key,
    }


@pytest.mark.parametrize(
    "kind",
    [
        "forged", "forged service", "tampered", "unsigned", "cut", "expired", "not yet valid", "without user", "empty user",
        "null user", "anonymous", "no such role", "superuser", "missing",
    ],
)  # fmt: skip
def test_a_token_that_proves_nothing_opens_nothing(everything: Any, supabase: Project, kind: str) -> None:
    """With the application bypassed: the functions are called as they are, with what it would have sent."""
    before, token = state(everything), bad_tokens(supabase)[kind]
    for function, arguments in raw_calls().items():
        answer = raw(supabase, token, function, arguments)
        assert shows_nothing(answer), (function, answer.text)
    assert state(everything) == before


def raw_calls() -> dict[str, Any]:
    """Calls that read and change Ada's memory, if they may."""
    read, write = plan(READS, None), plan(WRITES[:1], None)
    return {
        "batch": {"ops": Batch(read, {}, FusionWeights()).payload({})},
        "put_if_absent": {"writes": written(write.writes, {})},
        "sweep": {"most": 100},
        "batch_as": {"user_id": "ada", "ops": Batch(read, {}, FusionWeights()).payload({})},
        "put_if_absent_as": {"user_id": "ada", "writes": written(write.writes, {})},
        "sweep_as": {"user_id": "ada", "most": 100},
        "remove": {"ids": list(range(100))},
        "seal": {},
        "admit": {"role": "anon"},
        "set_dimension": {"dims": 3},
    }


def raw(project: Project, token: str, function: str, arguments: Any) -> httpx.Response:
    """A call without this package."""
    headers = {"apikey": project.anon_key, "Authorization": f"Bearer {token}", "Content-Profile": "graph_memory"}
    return httpx.post(f"{project.url}/rest/v1/rpc/{function}", headers=headers, json=arguments)


def shows_nothing(answer: httpx.Response) -> bool:
    """Whether an answer is a refusal, or empty but for statistics of nothing."""
    if answer.status_code >= 400 or not answer.content or answer.json() in (0, False):
        return "the cat" not in answer.text
    return all((row["key"], row["path"], row["statistics"]["documents"]) == (None, None, 0) for row in answer.json())


def test_a_signed_in_user_who_calls_the_functions_by_hand_gets_no_further(everything: Any, supabase: Project) -> None:
    """Neither by naming another user nor by the functions that are for the owner of the schema."""
    before = state(everything)
    for function, arguments in raw_calls().items():
        answer = raw(supabase, supabase.token("bob"), function, arguments)
        assert shows_nothing(answer), (function, answer.text)
    assert state(everything) == before


def test_whoever_signs_in_has_all_of_its_own(everything: Any, supabase: Project) -> None:
    """Under every id that may be in a token."""
    for user in (*LIKE_ADA, "x" * 300):
        own = namespace(Scope(user_id=user), "notes")
        with open_store(supabase.url, embed=embed_concepts, **supabase.signed_in(user)) as store:
            store.put(own, "k", {"text": "a kitten"})
            assert [hit.key for hit in store.search((), query="feline")] == ["k"]
            assert store.list_namespaces() == [own]
            store.delete(own, "k")
            assert store.get(own, "k") is None


def test_words_of_others_neither_rank_nor_show(everything: Any, supabase: Project) -> None:
    """Statistics come from what the user may see."""
    everything.put(BOB, "b", {"text": "a cat"})
    with open_store(supabase.url, **supabase.signed_in("ada")) as store:
        [hits] = store.batch([SearchOp(("graph_memory",), query="cat")])
    assert (hits.statistics.documents, hits.statistics.frequencies) == (1, {"cat": 1})
