"""Episodes: when a session is over, what its memo says, and which questions bring it back."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langgraph.store.memory import InMemoryStore

from graph_memory import ConfigurationError, Memo, Query, Scope, Section, VectorMemory, search
from graph_memory.context.tokens import token_counter
from graph_memory.memories.episodes.finishing import afinish_session, finish_session
from graph_memory.memories.episodes.keeping import Episodes
from graph_memory.memories.episodes.recall import asks_for_episodes
from graph_memory.memories.episodes.sessions import sessions_in
from graph_memory.steps import run
from graph_memory.types import Origin
from tests.fakes import words_counter
from tests.said import ADA, NOW, STORES, ago, said, store_of, tell, two_sessions


def episodes(store: Any, scope: Scope = ADA) -> list[Memo]:
    """The episodes in a store, oldest first."""
    found = search(scope, "", store=store, kinds=["episode"], limit=1000)
    return sorted((one.memo for one in found), key=lambda memo: memo.said_at)


def recalled(store: Any, text: str, memory: VectorMemory | None = None, **more: Any) -> Section:
    """What vector memory offers for a question asked NOW."""
    query = Query(ADA, text, (), "q", 1000, words_counter(), NOW, **more)
    return run((memory or VectorMemory()).recall(query), store=store)


def told(section: Section) -> list[str]:
    """The texts of the episodes in a section, in order."""
    return [snippet.text for snippet in section.snippets if snippet.text.startswith("[session of ")]


@pytest.mark.parametrize("kind", STORES)
def test_a_pause_ends_a_session_and_makes_an_episode(kind: str):
    """With span, participants and number of messages; the session that still runs has none."""
    with store_of(kind) as store:
        tell(store, two_sessions())
        [trip] = episodes(store)

    assert trip.metadata["episode"] == {
        "from": ago(days=10).isoformat(),
        "to": (ago(days=10) + timedelta(minutes=6)).isoformat(),
        "participants": ["User", "Assistant"],
        "messages": 4,
    }
    assert "Berlin" in trip.text
    assert "Rex" not in trip.text
    assert (trip.valid_from, trip.valid_to) == (None, None)


def test_another_label_ends_a_session_without_a_pause():
    """Within one turn's messages as well: that is how transcripts are told."""
    store, at = InMemoryStore(), ago(days=1)
    tell(
        store,
        [
            [
                said(f"Line {i} of {label}.", at, f"{label}{i}", session=label)
                for label in ("a", "b", "c")
                for i in (1, 2)
            ]
        ],
    )

    assert sorted(memo.session for memo in episodes(store)) == ["a", "b"]


def test_remembering_again_writes_an_episode_once():
    """The same turns told twice leave the same records, and ask the model once."""
    store, model = InMemoryStore(), GenericFakeChatModel(messages=iter([AIMessage("They planned a trip to Berlin.")]))
    memory = VectorMemory(episodes=Episodes(model=model))
    tell(store, two_sessions(), memory=memory)
    before = [(item.key, item.value) for item in store.search((), limit=100)]
    tell(store, two_sessions(), memory=memory)

    assert [(item.key, item.value) for item in store.search((), limit=100)] == before
    assert [memo.text for memo in episodes(store)] == ["They planned a trip to Berlin."]


@pytest.mark.parametrize(
    "answer",
    ["", "I'm sorry, I cannot do that.", AIMessage("", tool_calls=[{"name": "x", "args": {}, "id": "1"}]), None],
)
def test_a_model_that_does_not_answer_is_replaced_by_the_sentences_themselves(answer: str | AIMessage | None):
    """Nothing, an apology, a tool call, a failure: none of it becomes a memory."""
    replies: list[Any] = [] if answer is None else [answer if isinstance(answer, BaseMessage) else AIMessage(answer)]
    store, model = InMemoryStore(), GenericFakeChatModel(messages=iter(replies))

    tell(store, two_sessions(), memory=VectorMemory(episodes=Episodes(model=model)))

    [episode] = episodes(store)
    assert "We plan a trip to Berlin with Marie." in episode.text


def test_a_summary_is_never_longer_than_allowed():
    """Ten times the allowed length from a model is cut at the end of a sentence."""
    long = " ".join(f"They spoke about subject number {i}." for i in range(200))
    store, model = InMemoryStore(), GenericFakeChatModel(messages=iter([AIMessage(long)]))

    tell(store, two_sessions(), memory=VectorMemory(episodes=Episodes(model=model, max_tokens=40)))

    [episode] = episodes(store)
    assert 0 < token_counter().count_text(episode.text) <= 40
    assert episode.text.endswith(".")


@pytest.mark.parametrize("way", ["finish_session", "afinish_session"])
def test_a_session_is_finished_by_hand(way: str):
    """Idle or not; a second time there is nothing new."""
    store = InMemoryStore()
    tell(store, two_sessions()[2:])

    made = (
        finish_session(ADA, store=store) if way == "finish_session" else asyncio.run(afinish_session(ADA, store=store))
    )

    assert [memo.id for memo in made] == [memo.id for memo in episodes(store)]
    assert "Rex" in made[0].text
    assert finish_session(ADA, store=store) == []


def test_a_finished_session_that_goes_on_gets_an_episode_that_stands_for_both():
    """Only the fuller one is recalled."""
    store, turns, at = InMemoryStore(), two_sessions()[2:], ago(days=3)
    tell(store, turns)
    finish_session(ADA, store=store)
    turns.append([said("Rex had a fever of 41.", at + timedelta(minutes=9), "h4")])
    tell(store, turns)
    finish_session(ADA, store=store)

    [line] = told(recalled(store, "What did we talk about three days ago?"))

    assert line.startswith("[session of 3 messages")
    assert "41" in line


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What did we talk about ten days ago?", ["Berlin"]),
        ("What did we discuss last Tuesday?", ["Rex"]),
        ("What happened on 2026-03-10?", ["Berlin"]),
        ("What did we speak about in March?", ["Rex", "Berlin"]),
        ("What did we talk about last time?", ["Rex", "Berlin"]),
        ("Our conversation about Berlin, what was it?", ["Berlin"]),
        ("What did we talk about yesterday?", []),
        ("Who is ill?", []),
    ],
)
def test_episodes_are_recalled_by_time_and_by_meaning(kind: str, question: str, expected: list[str]):
    """On Friday, 20 March 2026, the trip was planned on the 10th and the dog was ill on Tuesday the 17th."""
    with store_of(kind) as store:
        tell(store, two_sessions())
        finish_session(ADA, store=store)
        lines = told(recalled(store, question))

    assert len(lines) == len(expected)
    assert all(any(word in line for line in lines) for word in expected)


def test_last_time_is_the_newest_session():
    """Whatever words the older one shares with the question."""
    store = InMemoryStore()
    tell(store, two_sessions())
    finish_session(ADA, store=store)

    [line] = told(recalled(store, "What did we talk about last time?", VectorMemory(episodes=Episodes(limit=1))))

    assert "Rex" in line


def test_a_question_about_talking_has_the_summary_before_the_lines():
    """It answers best; the lines themselves follow."""
    store = InMemoryStore()
    tell(store, two_sessions())
    section = recalled(store, "What did we talk about with Marie in Berlin?")

    assert told(section) == [section.snippets[0].text]
    assert section.snippets[0].score >= max(snippet.score for snippet in section.snippets[1:])


@pytest.mark.parametrize("off", [None, Episodes(limit=0)])
def test_episodes_can_be_left_out(off: Episodes | None):
    """None keeps none; a limit of 0 keeps them for searching only."""
    store, memory = InMemoryStore(), VectorMemory(episodes=off)
    tell(store, two_sessions(), memory=memory)

    assert len(episodes(store)) == (0 if off is None else 1)
    assert told(recalled(store, "What did we talk about ten days ago?", memory)) == []


def test_a_filter_holds_for_episodes():
    """An episode carries the metadata that all of its messages carry."""
    store = InMemoryStore()
    tell(store, two_sessions(metadata={"project": "x", "mood": "good"}))

    assert told(recalled(store, "What did we talk about ten days ago?", filter={"project": "x"}))
    assert not told(recalled(store, "What did we talk about ten days ago?", filter={"project": "y"}))


def test_another_user_has_none_of_it():
    """Not by finishing, not by asking."""
    store, bob = InMemoryStore(), Scope(user_id="bob", thread_id="t")
    tell(store, two_sessions())

    assert finish_session(bob, store=store, session="t") == []
    assert episodes(store, bob) == []


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        (lambda: Episodes(idle_seconds=0), "idle_seconds=0"),
        (lambda: Episodes(max_tokens=0), "max_tokens=0"),
        (lambda: Episodes(limit=-1), "limit=-1"),
        (lambda: finish_session(Scope(user_id="ada"), store=InMemoryStore()), "which session is over"),
        (lambda: finish_session(ADA, store=InMemoryStore(), memory=VectorMemory(episodes=None)), "keeps no episodes"),
    ],
)
def test_mistakes_are_refused_early(mistake: Any, sentence: str):
    """In one sentence."""
    with pytest.raises(ConfigurationError, match=sentence):
        mistake()


@pytest.mark.parametrize(
    ("text", "asks"),
    [("What is the budget?", False), ("Recap our last session", True), ("In March?", True), ("May I ask?", False)],
)
def test_most_questions_ask_for_no_episode(text: str, asks: bool):
    """Only those that name a time or a conversation."""
    assert asks_for_episodes(text, NOW.toordinal(), NOW.year) is asks


@given(st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from("ab")), max_size=30), st.integers(60, 5000))
def test_sessions_share_out_all_memos(minutes: list[tuple[int, str]], idle: int):
    """Each memo is in exactly one session; within one there is no pause and one label, and between two there is one."""
    memos = [
        Memo(str(i), "x", Origin("t", seq=i), ago(minutes=-m), session=label) for i, (m, label) in enumerate(minutes)
    ]
    sessions = sessions_in(memos, idle)

    assert sorted(memo.id for one in sessions for memo in one.memos) == sorted(memo.id for memo in memos)
    for one in sessions:
        times = [memo.said_at for memo in one.memos]
        assert len({memo.session for memo in one.memos}) == 1
        assert all((b - a).total_seconds() < idle for a, b in pairwise(times))
