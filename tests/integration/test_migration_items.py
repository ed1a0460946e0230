"""Items of LangMem and of LangGraph's stores, as facts and values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from langgraph.store.memory import InMemoryStore

from graph_memory import (
    KeyValueMemory,
    VectorMemory,
    open_store,
    search,
)
from graph_memory.memories.facts import Facts
from graph_memory.migration import (
    BadRecordError,
    Kept,
    LangGraphItems,
    LangMem,
    Noted,
    importing,
)
from graph_memory.steps import run
from graph_memory.types import Origin
from tests.migrating import (
    ADA,
    BEGAN,
    BOB,
    WAYS,
    Listed,
    everything,
    imported,
    langmem,
)
from tests.said import STORES, store_of


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", STORES)
def test_langmem_becomes_facts_and_a_profile(kind: str, way: str):
    """Episodes are facts whose fields are lines; fields that hold nothing are left out."""
    source = langmem()
    before = everything(source)
    with store_of(kind) as store:
        report = imported(LangMem(source), store, way)
        [dog, *_] = search(ADA, "What is the dog called?", store=store)
        [build, *_] = search(ADA, "Why did the build fail?", store=store)
        profile = KeyValueMemory().items(ADA, store=store)
        shown = KeyValueMemory().get_context(ADA, "Who am I?", store=store)
        context = VectorMemory().get_context(ADA, "May I eat nuts?", store=store)
        again = imported(LangMem(source), store, way)
        theirs = [found.memo.text for found in search(BOB, "", store=store)]

    assert report.sentence() == "imported: 4 facts, 2 values of 2 users"
    assert (dog.memo.text, dog.memo.kind) == ("Ada's dog is called Rex.", "fact")
    assert (
        build.memo.text
        == "observation: The build failed.\nthoughts: A pin was missing.\naction: Pinned it.\nresult: Green."
    )
    assert build.memo.metadata == {"kind": "Episode"}
    assert profile == {"name": "Ada", "age": 36}
    assert "name: Ada" in shown.messages[0].text
    assert "allergic" in context.messages[-1].text
    assert again.sentence() == "imported: nothing new; 4 facts, 2 values known already"
    assert theirs == ["Bob plays chess."]
    assert everything(source) == before


def test_a_memory_that_changed_at_its_source_is_changed():
    """In place, under the same id; of values the newest counts."""
    source = langmem()
    with open_store("sqlite://") as store:
        imported(LangMem(source), store)
        source.put(("memories", "ada"), "1", {"kind": "Memory", "content": {"content": "Ada's dog is called Max."}})
        source.put(("memories", "ada"), "4", {"kind": "UserProfile", "content": {"name": "Ada L.", "age": 36}})
        report = imported(LangMem(source), store)

        assert report.new == {"fact": 1, "value": 2}
        assert [found.memo.text for found in search(ADA, "dog", store=store)] == ["Ada's dog is called Max."]
        assert KeyValueMemory().items(ADA, store=store) == {"name": "Ada L.", "age": 36}


@pytest.mark.parametrize("at", [BEGAN, None], ids=["dated", "undated"])
def test_what_was_corrected_here_since_stays_so(at: Any):
    """As long as its source has not changed it after that."""
    source = Listed(
        lambda: [Noted("1", "ada", "1", "Lives in Ghent.", at, {}), Kept("2", "ada", "2", "city", "Ghent", at)]
    )
    with open_store("sqlite://") as store:
        imported(source, store)
        [fact] = search(ADA, "", store=store, kinds=["fact"])
        facts, now = Facts(ADA, "vector"), datetime.now(UTC)
        run(facts.replace(fact.memo, "Lives in Bruges.", "corrected", Origin(""), now), store=store)
        KeyValueMemory().set(ADA, "city", "Bruges", store=store)
        again = imported(source, store)

        assert [found.memo.text for found in search(ADA, "", store=store, kinds=["fact"])] == ["Lives in Bruges."]
        assert KeyValueMemory().items(ADA, store=store) == {"city": "Bruges"}
    assert again.sentence() == "imported: nothing new; 1 fact, 1 value known already"


@pytest.mark.parametrize("batch", [200, 1], ids=["together", "apart"])
@pytest.mark.parametrize("order", [1, -1], ids=["newest last", "newest first"])
def test_of_two_under_one_key_the_newest_counts_at_every_run(order: int, batch: int, monkeypatch: pytest.MonkeyPatch):
    """Whether they are written at once or one after the other."""
    monkeypatch.setattr(importing, "BATCH", batch)
    dated = [("Ghent", BEGAN), ("Bruges", BEGAN + timedelta(days=1))][::order]
    facts = [Noted(city, "ada", "1", f"Lives in {city}.", at, {}) for city, at in dated]
    values = [Kept(city, "ada", city, "city", city, at) for city, at in dated]
    with open_store("sqlite://") as store:
        for count in range(3):
            report = imported(Listed(lambda: [*facts, *values]), store)

            assert [found.memo.text for found in search(ADA, "", store=store, kinds=["fact"])] == ["Lives in Bruges."]
            assert KeyValueMemory().items(ADA, store=store) == {"city": "Bruges"}
            assert (not report.new) == (count > 0)


def test_a_user_called_profile_has_no_profile_for_it():
    """Only what a schema, a key or the app's own label is called makes a profile."""
    source = InMemoryStore()
    source.put(("memories", "profile"), "1", {"kind": "Memory", "content": {"content": "Likes tea."}})
    source.put(("memories", "ada"), "1", {"kind": "Tastes", "content": {"drink": "tea"}})
    with open_store("sqlite://") as store:
        report = imported(LangMem(source, profiles=["Tastes"]), store)

    assert report.new == {"fact": 1, "value": 1}


@pytest.mark.parametrize(("kept_as", "counts"), [("facts", {"fact": 2}), ("values", {"value": 2})])
def test_items_of_any_shape_are_facts_or_values(kept_as: Any, counts: dict[str, int]):
    """Whatever labels follow the user's, where the template says so; ours are never taken."""
    source = InMemoryStore()
    source.put(("ada", "food"), "pizza", {"data": "Ada likes pizza."})
    source.put(("ada", "work", "tools"), "editor", {"name": "vim", "since": 2011})
    source.put(("graph_memory", "user:ada:"), "x", {"text": "ours"})
    with open_store("sqlite://") as store:
        report = imported(LangGraphItems(source, "{user_id},...", kept_as=kept_as), store)
        again = imported(LangGraphItems(source, "{user_id},...", kept_as=kept_as), store)
        texts = {found.memo.text for found in search(ADA, "", store=store)}
        values = KeyValueMemory().items(ADA, store=store)

    assert report.new == again.known == counts
    assert report.reasons() == [
        "skipped 1: it is graph_memory's own: export and import bring it over (first: item graph_memory/user:ada:/x)"
    ]
    if kept_as == "facts":
        assert texts == {"Ada likes pizza.", "name: vim\nsince: 2011"}
    else:
        assert values == {"pizza": {"data": "Ada likes pizza."}, "editor": {"name": "vim", "since": 2011}}


def test_items_of_a_store_of_ours_are_read_by_its_url(tmp_path: Path):
    """Whoever gave LangMem one of our stores names the same file twice."""
    url = f"sqlite:///{tmp_path / 'memory.db'}"
    with open_store(url) as store:
        for item in langmem().search(("memories",)):
            store.put(item.namespace, item.key, item.value)
        report = imported(LangMem(url), store)

        assert report.new == {"fact": 4, "value": 2}
        assert search(ADA, "nuts", store=store)


def test_the_same_text_twice_is_embedded_on_stores_that_cannot():
    """LangGraph's own store refuses a batch that embeds a text twice."""
    index: Any = {"dims": 2, "embed": lambda texts: [[1.0, 0.0] for _ in texts], "fields": ["search"]}
    store = InMemoryStore(index=index)
    facts = [Noted(str(n), "ada", str(n), "Twice.", BEGAN, {}) for n in range(2)]
    values = [Kept(str(n), "ada", str(n), "name", "Ada", BEGAN) for n in range(2)]

    assert imported(Listed(lambda: [*facts, *values]), store).new == {"fact": 2, "value": 2}


def test_what_foreign_data_is_called_is_shown_on_one_line():
    """A key with line breaks or terminal commands does not write lines of its own."""
    source = InMemoryStore()
    source.put(("memories", "ada"), "a\nb\x1b[2J", {"other": 1})
    source.put(("memories", "eve\x1b"), "1", {"content": "One.\n\x07Two."})
    with open_store("sqlite://") as store:
        report = imported(LangMem(source), store)
        with pytest.raises(BadRecordError) as error:
            imported(LangMem(source), store, strict=True)

    assert report.reasons() == ["skipped 1: it holds no content of LangMem (first: item memories/ada/a b [2J)"]
    assert report.samples[0].text == "One. Two."
    assert all(one.isprintable() for one in (report.sentence(), str(error.value)))
