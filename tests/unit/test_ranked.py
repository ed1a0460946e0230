"""The ranked search of vector memory: stepped by hand, over our store, and over LangGraph's own with and without an index."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langgraph.store.base import BaseStore, GetOp, Item, PutOp, SearchItem
from langgraph.store.memory import InMemoryStore

from graph_memory import ConfigurationError, ModelError, Scope, Turn, VectorMemory
from graph_memory.context.notes import note_value
from graph_memory.context.ranking import RankingWeights
from graph_memory.memories.participants import Participants, place
from graph_memory.memories.ranked import ranked_search
from graph_memory.memories.searching import Found
from graph_memory.namespaces import namespace
from graph_memory.steps import Call, StoreOps, run
from graph_memory.stores.hits import Hit, Hits, Statistics
from graph_memory.stores.sqlite import SqliteStore
from graph_memory.testing.stores import embed_concepts
from graph_memory.types import Memo, Origin

ADA = Scope(user_id="ada", thread_id="t")
WHERE = namespace(ADA, "vector")
ABOUT, KEY = place(ADA, "vector")
MAY = datetime(2023, 5, 1, tzinfo=UTC)

STORES = {
    "sqlite": lambda: SqliteStore(None),
    "sqlite with meaning": lambda: SqliteStore(None, embed=embed_concepts),
    "memory": InMemoryStore,
    "memory with meaning": lambda: InMemoryStore(index={"dims": 5, "embed": embed_concepts}),
}
over_stores = pytest.mark.parametrize("store", [pytest.param(made, id=name) for name, made in STORES.items()])


def said(*texts: str, names: Sequence[str] = ("User", "Assistant"), days: int = 1) -> list[BaseMessage]:
    """Messages of two in alternation, `days` days apart from 1 May 2023 on."""
    kinds: tuple[Any, Any] = (HumanMessage, AIMessage)
    return [
        kinds[i % 2](
            text, id=f"m{i}", name=names[i % 2], additional_kwargs={"said_at": f"{MAY + timedelta(days=i * days)}"}
        )
        for i, text in enumerate(texts)
    ]


def remember(store: BaseStore, messages: Sequence[BaseMessage], scope: Scope = ADA, size: int = 2) -> None:
    """Remembers the messages, `size` a turn."""
    state: Any = {}
    for start in range(0, len(messages), size):
        previous = messages[start - 1] if start else None
        turn = Turn(scope, tuple(messages[start : start + size]), "root", MAY, previous=previous, state=state)
        state = run(VectorMemory().remember(turn), store=store)


def texts(found: Iterable[Found]) -> list[str]:
    """What was found, in order."""
    return [one.memo.text for one in found]


def item(key: str, text: str, **more: Any) -> Item:
    """A stored memo."""
    memo = Memo(key, text, Origin("r"), MAY, speaker="Ann", role="person", session="s")
    value = {**memo.to_value(), "note": note_value(memo), "day": memo.day, **more}
    return Item(value=value, key=key, namespace=WHERE, created_at=MAY, updated_at=MAY)


def participants(**speakers: str) -> Item:
    """What is stored of participants."""
    value = Participants(speakers, (2022, 2023)).to_value()
    return Item(value=value, key=KEY, namespace=ABOUT, created_at=MAY, updated_at=MAY)


def searching(text: str, **more: Any) -> Any:
    """A search to be stepped by hand."""
    options: dict[str, Any] = {"pool": 30, "limit": 5, "filter": None, "weights": RankingWeights()}
    return ranked_search(ADA, "vector", text, **{**options, **more})


def finished(steps: Any, answer: Any) -> Any:
    """The value of a body whose last request is answered with `answer`."""
    with pytest.raises(StopIteration) as stopped:
        steps.send(answer)
    return stopped.value.value


def test_participants_only_grow() -> None:
    """A role that is known stays, the nameless take no part, and nobody is changed in place."""
    ann = Memo("1", "x", Origin("r"), MAY, speaker="Ann", role="person")
    before = Participants.of(participants(Ann="human"))
    now = before.with_memos([ann, Memo("2", "x", Origin("r"), MAY.replace(year=2024), speaker="")])

    assert now == Participants({"Ann": "human"}, (2022, 2023, 2024))
    assert now.with_memos([ann]) == now
    assert before.years == (2022, 2023)
    assert Participants.of(None) == Participants()


def test_a_search_asks_who_takes_part_and_searches_without_names() -> None:
    """First the participants, then one search, in the namespace that it was given."""
    steps = searching("What did Ann paint?", filter={"topic": "art"})
    assert next(steps) == StoreOps([GetOp(ABOUT, KEY, refresh_ttl=False)])
    [search] = steps.send([participants(Ann="person", Bob="person")]).ops

    assert (search.namespace_prefix, search.query, search.limit) == (WHERE, "What did paint?", 30)
    assert search.filter == {"metadata": {"topic": "art"}}


def test_a_time_in_the_question_is_searched_by_itself() -> None:
    """Once for each year in which something was said, two at most."""
    steps = searching("What did we paint in May?")
    next(steps)
    [anywhere, first, second] = steps.send([participants(Ann="person")]).ops

    assert anywhere.filter is None
    assert [datetime.fromordinal(one.filter["day"]["$gte"]).year for one in (first, second)] == [2022, 2023]
    assert (first.limit, first.filter["day"]["$lte"] - first.filter["day"]["$gte"]) == (10, 30)


def test_memos_beside_the_candidates_are_fetched_and_ranked_with_them() -> None:
    """Up to two away; those that are candidates already are not fetched again."""
    steps = searching("paint")
    next(steps)
    steps.send([None])
    found = [item("b", "I paint", previous="a", next="c"), item("c", "so", previous="b", next="d")]
    request = steps.send([found])
    assert [op.key for op in request.ops] == ["a", "d"]

    outcome = finished(steps, [item("a", "why"), None])
    assert {one.memo.id for one in outcome} == {"a", "b", "c"}
    assert outcome[0].memo.id == "b"


def test_what_is_of_another_namespace_no_memo_or_without_the_metadata_is_left_out() -> None:
    """Stores differ in what they compare; it is checked again, whatever they answer."""
    steps = searching("paint", filter={"topic": "x"})
    next(steps)
    steps.send([None])
    mine = item("mine", "paint", metadata={"topic": "x"})
    alien = SearchItem(("else",), "alien", item("alien", "paint", metadata={"topic": "x"}).value, MAY, MAY, 0.9)
    steps.send([[mine, alien, item("other", "paint"), participants(Ann="person")]])

    assert [one.memo.id for one in finished(steps, [])] == ["mine"]


def test_the_statistics_of_the_store_are_what_rarity_is_measured_by() -> None:
    """The candidates hold one word each; the store knows which of the two is rare."""
    steps = searching("apples bananas")
    next(steps)
    steps.send([None])
    hits = [Hit(WHERE, key, item(key, key).value, MAY, MAY, 0.5) for key in ("apples", "bananas")]
    steps.send([Hits(hits, Statistics(1000, {"appl": 900, "banana": 2}))])

    assert [one.memo.id for one in finished(steps, [])] == ["bananas", "apples"]


@over_stores
def test_every_store_finds_the_answer_beside_its_question(store: Any) -> None:
    """The one setting serves them all; what explains the score is not empty."""
    with_store = store()
    remember(with_store, said("Which instrument do you play?", "The clarinet.", "Nice weather today.", "It is."))
    found = VectorMemory().search(ADA, "Which instrument is it?", store=with_store, limit=2)
    again = asyncio.run(VectorMemory().asearch(ADA, "Which instrument is it?", store=with_store, limit=2))

    assert texts(found)[0] == "The clarinet."
    assert found == again
    assert found[0].parts["answer"] > 0
    assert all(0 <= one.score <= 1 for one in found)


@over_stores
def test_every_store_finds_what_was_said_on_a_date(store: Any) -> None:
    """By a filter of days, which not every store compares alike; then the memo of the day before the month."""
    with_store = store()
    remember(with_store, said(*(f"we planted tree number {i}" for i in range(8)), days=20))
    found = VectorMemory().search(ADA, "What did we plant in July 2023?", store=with_store, limit=10)

    assert [one.memo.said_at.month for one in found[:2]] == [7, 6]
    assert len(found) == 8


@over_stores
def test_every_store_keeps_users_apart(store: Any) -> None:
    """Law 6: neither memos nor participants of another."""
    with_store = store()
    remember(with_store, said("my cat is called Tom", "ok"), Scope("eve", "t"))

    assert VectorMemory().search(ADA, "cat", store=with_store) == []
    assert texts(VectorMemory().search(Scope("eve"), "cat", store=with_store))[0] == "my cat is called Tom"


@over_stores
def test_names_do_not_decide_what_is_found(store: Any) -> None:
    """Everybody says everybody's name; what was said of the matter is found."""
    with_store = store()
    remember(
        with_store, said("Hi Bob! Bob, how are you?", "Hi Ann!", "Bob, Bob!", "I paint horses.", names=("Ann", "Bob"))
    )

    assert texts(VectorMemory().search(ADA, "What does Bob paint?", store=with_store))[0] == "I paint horses."


def test_the_reranker_has_the_last_word_about_the_best() -> None:
    """Places are exchanged, scores stay with the places, and what is not reranked stays below."""
    store = SqliteStore(None)
    remember(store, said("apples apples", "apples", "an apples tree here", "the apples in the garden"), size=4)
    plain = VectorMemory().search(ADA, "apples", store=store)
    given: list[Any] = []

    def backwards(question: str, some: Sequence[str]) -> list[float]:
        given.append((question, list(some)))
        return [float(i) for i in range(len(some))]

    memory = VectorMemory(reranker=backwards, rerank=3)
    turned = memory.search(ADA, "apples", store=store)

    assert given == [("apples", texts(plain)[:3])]
    assert texts(turned) == [*reversed(texts(plain)[:3]), texts(plain)[3]]
    assert [one.score for one in turned] == [one.score for one in plain]
    assert [one.parts.get("reranker") for one in turned] == [2.0, 1.0, 0.0, None]
    assert texts(memory.search(ADA, "apples", store=store, limit=1)) == [texts(plain)[2]]
    assert asyncio.run(memory.asearch(ADA, "apples", store=store)) == turned


def test_the_reranker_is_asked_by_a_request_and_may_fail() -> None:
    """Then the order stays as it was."""
    steps = VectorMemory(reranker=lambda question, some: [0.0]).searching(ADA, "apples", None, 5)
    next(steps)
    steps.send([None])
    steps.send([[item("a", "apples"), item("b", "some apples")]])
    request = steps.send([])

    assert isinstance(request, Call)
    assert request.args == ("apples", ["apples", "some apples"])
    with pytest.raises(StopIteration) as stopped:
        steps.throw(ModelError("no answer"))
    assert texts(stopped.value.value) == ["apples", "some apples"]


@pytest.mark.parametrize("bad", [{"limit": 0}, {"candidates": 0}, {"rerank": 0}, {"threshold": 1.1}])
def test_settings_out_of_bounds_are_refused(bad: dict[str, Any]) -> None:
    """The error names the setting."""
    with pytest.raises(ConfigurationError, match=next(iter(bad))):
        VectorMemory(**bad)


def test_statistics_are_of_one_tenant_alone() -> None:
    """How rare a word is among others' texts neither counts nor shows; a neighbour's words are not the memo's own."""
    with SqliteStore(None, embed=embed_concepts) as store:
        for i in range(5):
            store.put(("users", "ada"), str(i), {"text": f"cat {i}", "before": "zebra"}, index=["text"])
            store.put(("users", "eve"), str(i), {"text": "cat dog"}, index=["text"])
        mine: Any = store.search(("users", "ada"), query="Cats, dogs, zebras")
        both: Any = store.search(("users",), query="cats")
        nobody: Any = store.search(("users", "zoe"), query="cats")

    assert mine.statistics.documents == 5
    assert mine.statistics.frequencies == {"cat": 5, "dog": 0, "zebra": 0}
    assert (both.statistics.documents, both.statistics.frequencies) == (10, {"cat": 10})
    assert nobody.statistics == Statistics(0, {"cat": 0})


def test_the_spread_is_that_of_random_pairs() -> None:
    """Of what was searched; none without vectors, with too few, and with nothing but copies."""
    angles = {"a": [1.0, 0.0], "b": [0.0, 1.0], "c": [-1.0, 0.0], "d": [0.0, -1.0]}

    def spread(stored: Iterable[str], embed: Any = lambda some: [angles[text] for text in some]) -> Any:
        with SqliteStore(None, embed=embed) as store:
            store.batch([PutOp(("u",), str(i), {"text": text}) for i, text in enumerate(stored)])
            found: Any = store.search(("u",), query="a")
            return found.statistics.spread

    mean, deviation = spread("abcd")
    assert -1 <= mean <= 1
    assert deviation > 0
    assert spread("aaaa") is None
    assert spread("ab") is None
    assert spread("abcd", None) is None
