"""The memories, stepped by hand: take the request, look at it, send an answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.store.base import SearchItem
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
    Turn,
    VectorMemory,
    aforget,
    aget_context,
    forget,
    get_context,
    open_store,
    search,
)
from graph_memory.memories.records import memo_id
from graph_memory.namespaces import namespace
from graph_memory.steps import Steps, StoreOps, run
from graph_memory.types import Origin
from tests.fakes import words_counter

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ADA = Scope(user_id="ada", thread_id="t")


def asked(text: str, **more: Any) -> Query:
    """A query for ada's memory."""
    message = HumanMessage(text, id="q")
    known = Query(ADA, text, (message,), "q", 1000, words_counter(), NOW, history_tokens=1000)
    return replace(known, **more)


def turn(*texts: str, scope: Scope = ADA, first: int = 0, **more: Any) -> Turn:
    """A turn of a human and an assistant in alternation."""
    kinds = (HumanMessage, AIMessage)
    messages = tuple(kinds[i % 2](text, id=f"m{first + i}") for i, text in enumerate(texts))
    return Turn(scope, messages, "root", NOW, **more)


def memo(key: str, text: str, **more: Any) -> Memo:
    """A memo of ada's."""
    return replace(Memo(key, text, Origin("root", memory="vector"), NOW), **more)


def hit(one: Memo, score: float, where: tuple[str, ...] = namespace(ADA, "vector")) -> SearchItem:
    """A search result that holds a memo."""
    return SearchItem(where, one.id, one.to_value(), NOW, NOW, score)


def finished(steps: Any, answer: Any) -> Any:
    """The value of a body whose last request is answered with `answer`."""
    with pytest.raises(StopIteration) as stopped:
        steps.send(answer)
    return stopped.value.value


def test_a_memo_survives_the_store() -> None:
    """What `to_value` writes, `from_value` reads; it is plain JSON."""
    whole = memo("k", "text", valid_to=NOW, metadata={"a": [1]}, speaker="Ada")

    assert Memo.from_value(whole.to_value()) == whole
    assert Memo.from_value({**whole.to_value(), "of a later version": 1}) == whole


def stepped(memory: VectorMemory, query: Query, items: list[SearchItem]) -> Any:
    """The memory's section, when nobody is known to take part and the store finds `items`."""
    steps = memory.recall(query)
    next(steps)
    steps.send([None])
    steps.send([items])
    return finished(steps, [])


def test_vector_memory_asks_its_own_namespace_for_the_question() -> None:
    """Who takes part, then one search in the user's namespace, with the question as it was asked."""
    steps = VectorMemory(candidates=7, limit=5).recall(asked("where does my sister live?"))
    [first] = next(steps).ops

    [search] = steps.send([None]).ops

    assert first.namespace[:2] == search.namespace_prefix[:2] == ("graph_memory", "user:ada:")
    assert search.namespace_prefix == namespace(ADA, "vector")
    assert (search.query, search.limit) == ("where does my sister live?", 7)


def test_vector_memory_offers_the_best_first_and_the_fresher_of_equals() -> None:
    """Score first, then freshness; each snippet can be traced to its memo, and shows its speaker under its date."""
    old, new = memo("old", "a cat", said_at=NOW - timedelta(days=9)), memo("new", "a cat")
    best = memo("best", "a cat on the mat", speaker="Ada")

    section = stepped(VectorMemory(), asked("which cat on which mat?"), [hit(old, 0.5), hit(new, 0.5), hit(best, 0.9)])

    assert [s.memo_id for s in section.snippets] == ["best", "new", "old"]
    assert (section.snippets[0].text, section.snippets[0].label) == ("Ada: a cat on the mat", "2026-01-02")
    assert section.snippets[0].parts["coverage"] > section.snippets[1].parts["coverage"] > 0


def test_vector_memory_leaves_out_what_does_not_hold() -> None:
    """Below the threshold, no longer valid, of another namespace, or without the metadata asked for."""
    fine = memo("fine", "the cat", metadata={"topic": "x"})
    items = [
        hit(fine, 0.9),
        hit(replace(fine, id="weak", text="a dog"), -0.9),
        hit(replace(fine, id="over", valid_to=NOW), 0.9),
        hit(replace(fine, id="later", valid_from=NOW + timedelta(hours=1)), 0.9),
        hit(replace(fine, id="else", metadata={"topic": "y"}), 0.9),
        hit(replace(fine, id="alien"), 0.9, where=namespace(Scope("eve"), "vector")),
        SearchItem(namespace(ADA, "vector"), "junk", {"no": "memo"}, NOW, NOW, 0.9),
    ]

    section = stepped(VectorMemory(threshold=0.3, filter={"topic": "x"}), asked("the cat"), items)

    assert [s.memo_id for s in section.snippets] == ["fine"]


def test_a_question_without_words_is_not_searched_for() -> None:
    """A picture alone finds nothing."""
    with pytest.raises(StopIteration) as stopped:
        VectorMemory().recall(asked("  ")).send(None)
    assert stopped.value.value.snippets == ()


def test_vector_memory_stores_one_memo_a_message_with_its_neighbours() -> None:
    """Tools are left out; keys are those of the messages; neighbours stand beside the text."""
    store = InMemoryStore()
    messages = (
        HumanMessage("where?", id="1", name="Ada"),
        AIMessage("", id="2", tool_calls=[{"name": "f", "args": {}, "id": "c"}]),
        ToolMessage("secret error", id="3", tool_call_id="c", status="error"),
        AIMessage("In Ghent.", id="4"),
    )

    run(VectorMemory().remember(Turn(ADA, messages, "root", NOW)), store=store)

    memos = {item.key: Memo.from_value(item.value) for item in store.search(namespace(ADA, "vector"))}
    assert set(memos) == {memo_id("root", "1", "vector"), memo_id("root", "4", "vector")}
    answer = memos[memo_id("root", "4", "vector")]
    assert (answer.text, answer.before, answer.role, answer.speaker) == ("In Ghent.", "where?", "ai", "Assistant")
    assert answer.origin == Origin("root", seq=1, turn_id="1", memory="vector", ordinal=1)


def test_the_memo_before_learns_what_followed_it() -> None:
    """When the next turn is remembered, the last message of the turn before is told."""
    store, memory = InMemoryStore(), VectorMemory()
    run(memory.remember(turn("where?", "which one?")), store=store)

    run(memory.remember(turn("the one in Ghent", first=2, previous=AIMessage("which one?", id="m1"))), store=store)

    item = store.get(namespace(ADA, "vector"), memo_id("root", "m1", "vector"))
    assert item is not None
    assert item.value["after"] == "the one in Ghent"


@given(st.lists(st.text(max_size=20), min_size=1, max_size=6), st.integers(1, 3))
def test_remembering_again_leaves_the_same_records(texts: list[str], times: int) -> None:
    """Law 4: a turn that is remembered several times leaves what one time leaves."""
    once, often = InMemoryStore(), InMemoryStore()
    memories = (VectorMemory(), BufferMemory())
    for memory in memories:
        run(memory.remember(turn(*texts)), store=once)
        for _ in range(times):
            run(memory.remember(turn(*texts)), store=often)

    def contents(store: InMemoryStore) -> list[Any]:
        return sorted((i.namespace, i.key, repr(i.value)) for i in store.search((), limit=1000))

    assert contents(once) == contents(often)


def test_two_equal_texts_in_one_turn_are_remembered() -> None:
    """Also by a store that cannot embed the same text twice in one batch."""
    store = InMemoryStore(index={"dims": 2, "embed": lambda texts: [[1.0, 0.0] for _ in texts], "fields": ["text"]})

    run(VectorMemory().remember(turn("hi", "hi")), store=store)

    assert len(store.search(namespace(ADA, "vector"))) == 2


def test_a_message_that_repeats_the_one_before_is_remembered() -> None:
    """Also when the memo before is written again in the same batch, and the store cannot embed a text twice."""
    store = InMemoryStore(index={"dims": 2, "embed": lambda texts: [[1.0, 0.0] for _ in texts], "fields": ["text"]})
    long = "one two three four five six seven eight nine ten eleven twelve"
    run(VectorMemory().remember(turn("hello", long)), store=store)

    run(VectorMemory().remember(turn(long, first=2, previous=AIMessage(long, id="m1"))), store=store)

    assert len(store.search(namespace(ADA, "vector"))) == 3


@pytest.mark.parametrize("answer", [[1.0], None, ["x", "y"], [float("nan"), 1.0]])
def test_a_reranker_that_answers_nonsense_changes_nothing(answer: Any) -> None:
    """Too few scores, none, words, no numbers: the order stays as it was."""
    store = InMemoryStore()
    run(VectorMemory().remember(turn("a cat", "a cat on a mat")), store=store)

    plain = VectorMemory().search(ADA, "which cat on which mat?", store=store)
    again = VectorMemory(reranker=lambda query, texts: answer).search(ADA, "which cat on which mat?", store=store)

    assert [one.memo.id for one in again] == [one.memo.id for one in plain]
    assert len(again) == 2


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


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        (lambda: BufferMemory(turns=0), "turns=0"),
        (lambda: BufferMemory(seconds=-1), "seconds=-1"),
        (lambda: BufferMemory(flush_tokens=-1), "flush_tokens=-1"),
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
