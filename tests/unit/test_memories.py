"""Memories of any kind: contexts, searching, forgetting, and what is refused when one is made."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from langgraph.store.memory import InMemoryStore

from graph_memory import (
    BufferMemory,
    ConfigurationError,
    Memo,
    Memory,
    Query,
    Scope,
    Section,
    Snippet,
    VectorMemory,
    aforget,
    aget_context,
    forget,
    get_context,
    open_store,
    search,
)
from graph_memory.steps import Steps, StoreOps, run
from tests.stepping import ADA, NOW, memo, turn


def test_a_memo_survives_the_store() -> None:
    """What `to_value` writes, `from_value` reads; it is plain JSON."""
    whole = memo("k", "text", valid_to=NOW, metadata={"a": [1]}, speaker="Ada")

    assert Memo.from_value(whole.to_value()) == whole
    assert Memo.from_value({**whole.to_value(), "of a later version": 1}) == whole


@dataclass(frozen=True, kw_only=True)
class Broken(Memory):
    """A memory with a bug."""

    name: str = "broken"

    def recall(self, query: Query) -> Steps[Section]:
        """Fails after its first request."""
        yield StoreOps([])
        raise KeyError("a bug")


@dataclass(frozen=True, kw_only=True)
class Fixed(Memory):
    """A memory that always says the same."""

    name: str = "fixed"

    def recall(self, query: Query) -> Steps[Section]:
        """One snippet."""
        yield from ()
        return self.section([Snippet("a fact", memo_id="f")])


def both_contexts(memories: list[Memory], scope: Scope, query: str, **options: Any) -> list[Any]:
    """The context by the sync and by the async way."""
    made = asyncio.run(aget_context(memories, scope, query, **options))
    return [get_context(memories, scope, query, **options), made]


def test_a_memory_with_a_bug_degrades() -> None:
    """Law 7: its section is empty, the reason is in the context, the others are there."""
    for context in both_contexts([Broken(), Fixed()], ADA, "what?", store=InMemoryStore()):
        assert context.degradations == {"broken": "KeyError in the memory"}
        assert [line.text for line in context.kept if line.memory == "fixed"] == ["a fact"]


def test_a_required_memory_with_a_bug_fails() -> None:
    """The bug itself comes out."""
    with pytest.raises(KeyError):
        get_context([Broken(required=True)], ADA, "what?")


def test_nobody_has_no_memory_and_is_told_so() -> None:
    """Without a user and a thread there is nothing to look up, and the call goes on."""
    for context in both_contexts([VectorMemory()], Scope(), "what?", store=InMemoryStore()):
        assert "give a user_id or a thread_id" in context.degradations["vector"]
        assert context.messages[-1].text == "what?"


def test_get_context_finds_what_was_remembered() -> None:
    """Application code has the same context without a graph: a memory's own, or several together."""
    store = InMemoryStore()
    run(VectorMemory().remember(turn("My sister lives in Ghent", "Noted.")), store=store)

    alone = VectorMemory().get_context(ADA, "Where does she live?", store=store)
    again = asyncio.run(VectorMemory().aget_context(ADA, "Where does she live?", store=store))

    assert "My sister lives in Ghent" in alone.messages[-1].text
    assert [m.content for m in again.messages] == [m.content for m in alone.messages]


def test_search_finds_the_line_and_not_the_answer_beside_it() -> None:
    """A short neighbour that repeats nothing of the question does not come first."""
    with open_store("sqlite://") as store:
        run(VectorMemory().remember(turn("My sister Ines lives in Ghent.", "ok", "I like tea.", "ok")), store=store)

        assert search(ADA, "sister", store=store)[0].memo.text == "My sister Ines lives in Ghent."


def test_search_looks_through_everything_of_a_scope() -> None:
    """Whichever memory keeps it; nothing of another user."""
    store = InMemoryStore()
    run(VectorMemory().remember(turn("My sister lives in Ghent")), store=store)
    run(VectorMemory(name="second").remember(turn("My brother lives in Bruges")), store=store)
    run(VectorMemory().remember(turn("My aunt lives in Rome", scope=Scope("eve"))), store=store)

    found = search(ADA, "lives", store=store)

    assert {one.memo.text for one in found} == {"My sister lives in Ghent", "My brother lives in Bruges"}
    assert search(ADA, "lives", store=store, kinds=["fact"]) == []


@pytest.mark.parametrize("way", ["forget", "aforget"])
def test_forgetting_removes_everything_of_one_user_alone(way: str) -> None:
    """Memos and archives, of every agent and thread; it says how much, and a second time there is nothing."""
    store = InMemoryStore()
    for user in ("ada", "ad", "ada2", ""):
        for agent in (None, "helper"):
            scope = Scope(user, "t", agent)
            run(VectorMemory().remember(turn("hello", "there", scope=scope)), store=store)
            run(BufferMemory().remember(turn("hello", "there", scope=scope)), store=store)
    before = len(store.search((), limit=1000))

    count = forget(store, "ada") if way == "forget" else asyncio.run(aforget(store, "ada"))

    left = store.search((), limit=1000)
    assert count == before - len(left) == 10
    assert not [item for item in left if item.namespace[1] == "user:ada:"]
    assert forget(store, "ada") == 0


def test_forgetting_needs_a_store_and_a_users_id() -> None:
    """A url is no store, and a scope is no id."""
    with pytest.raises(ConfigurationError, match="store must be a store, not a str: with open_store"):
        forget("sqlite:///memory.db", "ada")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="user_id is a Scope: give a string"):
        forget(InMemoryStore(), ADA)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        (lambda: BufferMemory(turns=0), "turns=0"),
        (lambda: BufferMemory(seconds=-1), "seconds=-1"),
        (lambda: BufferMemory(flush_tokens=-1), "flush_tokens=-1"),
        (lambda: BufferMemory(placement="tail"), "'history' is the only place of whole turns"),
        (lambda: VectorMemory(threshold=2), "threshold 2"),
        (lambda: VectorMemory(limit=0), "limit 0"),
        (lambda: VectorMemory(limit=1.5), "limit=1.5"),  # type: ignore[arg-type]
        (lambda: VectorMemory(placement="history"), "cannot be placed as history"),
        (lambda: VectorMemory(placement="bottom"), "placement 'bottom'"),  # type: ignore[arg-type]
        (lambda: VectorMemory(roles=("user",)), "roles"),
        (lambda: VectorMemory(ttl_seconds=-1), "ttl_seconds=-1"),
        (lambda: VectorMemory(half_life_hours=0), "half_life_hours"),
        (lambda: VectorMemory(weight=float("nan")), "weight nan"),
        (lambda: VectorMemory(min_share=0.9, max_share=0.1), "min_share 0.9"),
        (lambda: VectorMemory(name="a|b"), "cannot be named"),
        (lambda: VectorMemory(deadline_seconds=0), "deadline_seconds 0"),
        (lambda: get_context([], ADA, "x"), "no memories were given"),
        (lambda: get_context([BufferMemory()], ADA, "x", budget_tokens=0), "leaves no room"),
    ],
)
def test_wrong_settings_get_one_clear_sentence(mistake: Any, sentence: str) -> None:
    """At construction, naming the memory and what to give."""
    with pytest.raises((ConfigurationError, ValueError), match=sentence):
        mistake()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: VectorMemory(episodes=False), "'vector' has episodes=False: give Episodes\\(...\\) or None"),  # type: ignore[arg-type]
        (lambda: VectorMemory(weights={"speaker": 1}), "give RankingWeights"),  # type: ignore[arg-type]
        (lambda: VectorMemory(filter="x"), "filter='x': give a mapping or None"),  # type: ignore[arg-type]
        (lambda: VectorMemory(reranker=3), "reranker=3: give a function"),  # type: ignore[arg-type]
        (lambda: BufferMemory(turns="3"), "turns='3': give a whole number or None"),  # type: ignore[arg-type]
        (lambda: BufferMemory(prune="yes"), "prune='yes': give True or False"),  # type: ignore[arg-type]
        (lambda: BufferMemory(weight="0.6"), "weight='0.6': give a number"),  # type: ignore[arg-type]
    ],
)
def test_an_option_of_another_kind_is_refused_when_the_memory_is_made(make: Any, sentence: str):
    """Not on every turn, where it would only be seen in the log."""
    with pytest.raises(ConfigurationError, match=sentence):
        make()
