"""Imported conversations: found as if said here, written once, and everybody's own."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from graph_memory import (
    BufferMemory,
    ConfigurationError,
    KeyValueMemory,
    Scope,
    SummaryMemory,
    VectorMemory,
    export_user,
    forget,
    open_store,
    search,
)
from graph_memory.migration import (
    Conversations,
    Export,
    Kept,
    LangMem,
    Noted,
)
from tests.migrating import (
    ADA,
    BEGAN,
    BOB,
    CHESS,
    REX,
    WAYS,
    Listed,
    everything,
    fingerprint,
    imported,
    langmem,
    lines,
    talk,
    transcript,
)
from tests.said import STORES, items_of, store_of

__all__ = ["transcript"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", STORES)
def test_conversations_are_found_by_search_and_in_their_threads(transcript: Path, kind: str, way: str):
    """Each by its user alone, with the time when it was said."""
    with store_of(kind) as store:
        report = imported(Conversations(transcript), store, way)
        [best, *_] = search(ADA, "What is the dog called?", store=store)
        context = VectorMemory().get_context(ADA, "Which breed is Rex?", store=store)
        thread = BufferMemory().get_context(Scope("ada", "1"), "And?", store=store)
        theirs = search(BOB, "", store=store, limit=100)

    assert report.sentence() == "imported: 6 messages of 2 users in 2 threads"
    assert (best.memo.text, best.memo.said_at) == (REX[0], BEGAN)
    assert best.memo.after == REX[1]
    assert "beagle" in context.messages[-1].text
    assert [message.text for message in thread.messages] == [*REX, "And?"]
    assert sorted(found.memo.text for found in theirs) == sorted(CHESS)


@pytest.mark.parametrize("way", WAYS)
def test_importing_again_finds_nothing_new(transcript: Path, way: str):
    """And a dry run before it says the same as the import, and writes nothing."""
    with open_store("sqlite://") as store:
        dry = imported(Conversations(transcript), store, way, dry_run=True)
        assert everything(store) == {}
        first = imported(Conversations(transcript), store, way)
        before = everything(store)
        again = imported(Conversations(transcript), store, way)

        assert everything(store) == before
    assert (dry.new, dry.samples) == (first.new, first.samples)
    assert dry.sentence() == "would import: 6 messages of 2 users in 2 threads"
    assert sorted({sample.text for sample in dry.samples}) == sorted([*REX[:3], *CHESS])
    assert again.sentence() == "imported: nothing new; 6 messages known already"


def test_a_thread_that_has_grown_is_gone_on_with(transcript: Path, tmp_path: Path):
    """Its last turn too: what is kept is what one import of the whole would have kept, but for who was told together."""
    whole = transcript.read_text(encoding="utf-8").split("\n")
    with open_store("sqlite://") as store, open_store("sqlite://") as other:
        for count in (1, 2, 4, 6):
            transcript.write_text("\n".join(whole[:count]), encoding="utf-8")
            imported(Conversations(transcript), store)
        imported(Conversations(transcript), other)

        assert _told(store) == _told(other)


def _told(store: Any) -> dict[Any, Any]:
    """A store without what says which turns were told at once."""
    values = {place: {**value, "follower": None} for place, value in everything(store).items()}
    return {place: {**value, "origin": {**value.get("origin", {}), "ordinal": 0}} for place, value in values.items()}


def test_what_is_forgotten_is_gone_and_what_is_exported_comes_back(transcript: Path):
    """Imported memories are memories like others."""
    with open_store("sqlite://") as store, open_store("sqlite://") as other:
        for source in (Conversations(transcript), LangMem(langmem())):
            imported(source, store)
        file = io.StringIO()
        count = export_user(store, "ada", file)
        file.seek(0)
        report = imported(Export(file, "ada"), other)
        before = items_of(store)

        assert items_of(other) == before
        assert (report.new["item"], len(before)) == (count, count)
        assert forget(store, "ada") == count
        assert items_of(store) == {}
        assert search(BOB, "chess", store=store)


USERS = ("a", "A", "a:b", "a.b", "user:a:", "%", "ä", "..", "{user_id}", " a")


def test_crafted_ids_stay_apart(tmp_path: Path):
    """Threads and messages of the same names included; nobody finds another's."""
    path = tmp_path / "said.jsonl"
    said = [{**line, "id": "m"} for user in USERS for line in talk(user, "t", f"The secret of {user} is {user}.")]
    path.write_text(lines(*said), encoding="utf-8")
    facts = [Noted("x", user, "same", f"The word of {user}.", BEGAN, {}) for user in USERS]
    values = [Kept("x", user, "same", "name", user, BEGAN) for user in USERS]
    with open_store("sqlite://") as store:
        imported(Conversations(path), store)
        imported(Listed(lambda: [*facts, *values]), store)

        for user in USERS:
            texts = sorted(
                f.memo.text for f in search(Scope(user, "t"), "", store=store, kinds=["message", "fact"], limit=99)
            )
            assert texts == [f"The secret of {user} is {user}.", f"The word of {user}."]
            assert KeyValueMemory().items(Scope(user), store=store) == {"name": user}


@pytest.mark.parametrize("shape", ["lines", "list", "nested"])
def test_a_conversation_names_whose_its_messages_are(tmp_path: Path, shape: str):
    """For those that name nobody themselves, however the conversations stand in the file; never another user's."""
    path, said = tmp_path / "said.jsonl", {"role": "user", "content": "Secret of Bob."}
    ada = {"user_id": "ada", "thread_id": "1", "messages": [{"role": "user", "content": "Secret of Ada."}]}
    bob = {"user_id": "bob", "messages": [said, {**said, "user_id": "eve", "content": "Secret of Eve."}]}
    odd = {"user_id": {"a": 1}, "messages": [said]}
    whole = [ada, bob, odd]
    nested = {"user_id": "zoe", "conversations": [*whole, {"messages": [{**said, "content": "Secret of Zoe."}]}]}
    path.write_text(lines(*({"lines": whole, "list": [whole], "nested": [nested]}[shape])), encoding="utf-8")
    users = {"ada": "Ada", "bob": "Bob", "eve": "Eve", **({"zoe": "Zoe"} if shape == "nested" else {})}
    with open_store("sqlite://") as store:
        report = imported(Conversations(path, "default"), store)
        found = {user: [f.memo.text for f in search(Scope(user), "", store=store)] for user in [*users, "default"]}

    assert found == {**{user: [f"Secret of {name}."] for user, name in users.items()}, "default": []}
    assert report.threads == {("ada", "1")}
    assert report.skipped == {"its user_id or thread_id is neither a text nor a number": 1}


def test_a_skipped_message_of_a_conversation_is_named_by_its_line(tmp_path: Path):
    """And by its place there."""
    path = tmp_path / "said.jsonl"
    said = {"role": "user", "content": "One."}
    path.write_text(
        lines(*talk("ada", "1", "One."), {"messages": [{**said, "user_id": "ada"}, said]}), encoding="utf-8"
    )
    with open_store("sqlite://") as store:
        report = imported(Conversations(path), store)

    assert list(report.first.values()) == ["line 2, message 2"]


def test_lines_that_nobody_said_are_facts(tmp_path: Path):
    """What Mem0 or Zep made of a conversation, say; by its own id it may change, and without one it is its text."""
    path = tmp_path / "noted.jsonl"
    fact, later = {"role": "fact", "user_id": "ada", "timestamp": BEGAN.isoformat()}, BEGAN + timedelta(days=1)
    first = [
        {**fact, "id": "1", "content": "Likes tea."},
        {**fact, "content": "Has a dog."},
        {**fact, "content": "Has a dog."},
    ]
    with open_store("sqlite://") as store:
        path.write_text(lines(*first, *talk("ada", "1", *CHESS)), encoding="utf-8")
        report = imported(Conversations(path), store)
        changed = {**first[0], "content": "Likes coffee.", "timestamp": later.isoformat()}
        path.write_text(lines(changed, *first[1:]), encoding="utf-8")
        again = imported(Conversations(path), store)
        facts = search(ADA, "", store=store, kinds=["fact"])

    assert report.new == {"message": 2, "fact": 3}
    assert (again.new, again.known) == ({"fact": 1}, {"fact": 2})
    assert {(found.memo.text, found.memo.said_at) for found in facts} == {
        ("Likes coffee.", later),
        ("Has a dog.", BEGAN),
    }


def test_two_messages_under_one_id_are_both_kept(tmp_path: Path):
    """Broken exports lose nothing."""
    path = tmp_path / "said.jsonl"
    path.write_text(
        lines(*({**line, "id": "7"} for line in talk("ada", "1", "One.", "Two.", "Three."))), encoding="utf-8"
    )
    with open_store("sqlite://") as store:
        imported(Conversations(path), store)

        assert sorted(f.memo.text for f in search(ADA, "", store=store)) == ["One.", "Three.", "Two."]


@pytest.mark.parametrize("way", WAYS)
def test_memories_of_other_names_and_of_agents_take_imports_in(transcript: Path, way: str):
    """The same names as in the graph; memories that take in nothing of the kind are refused."""
    memories = [VectorMemory(name="notes"), KeyValueMemory(name="settings")]
    records = [Noted("1", "ada", "1", "Ada likes tea.", BEGAN, {}), Kept("2", "ada", "2", "drink", "tea", BEGAN)]
    helper = Scope("ada", agent="helper")
    with open_store("sqlite://") as store:
        imported(Listed(lambda: records), store, way, memories=memories, agent="helper")
        context = VectorMemory(name="notes").get_context(helper, "What does Ada like?", store=store)

        assert "tea" in context.messages[-1].text
        assert KeyValueMemory(name="settings").items(helper, store=store) == {"drink": "tea"}
        assert items_of(store).keys() == {one for one in items_of(store) if "agent:helper:" in one[0]}
        for wrong in ([SummaryMemory()], [VectorMemory(), VectorMemory(name="more")]):
            with pytest.raises(ConfigurationError, match="nothing can be imported into memory"):
                imported(Listed(lambda: records), store, way, memories=wrong)


@pytest.mark.parametrize("kind", ["redis", "postgres"])
def test_servers_take_imports_in_as_files_do(kind: str, transcript: Path, request: pytest.FixtureRequest):
    """Once, found, and forgotten."""
    url = request.getfixturevalue("redis_server").url if kind == "redis" else request.getfixturevalue("postgres_url")
    with open_store(url) as store, open_store("sqlite://") as file:
        for user in ("ada", "bob"):
            forget(store, user)
        for source in (Conversations(transcript), LangMem(langmem())):
            assert imported(source, store).new == imported(source, file).new
            assert imported(source, store).new == {}

        assert items_of(store).keys() == items_of(file).keys()
        assert "Rex" in search(ADA, "What is the dog called?", store=store)[0].memo.text
        assert forget(store, "ada") == len(items_of(file))
        forget(store, "bob")


def test_a_transcript_that_was_ingested_is_known(transcript: Path):
    """Lines without a thread are the same memories, whichever command took them in."""
    plain = [
        {key: value for key, value in line.items() if key not in ("user_id", "thread_id")}
        for line in talk("", "", *REX)
    ]
    transcript.write_text(lines(*plain), encoding="utf-8")
    with open_store("sqlite://") as store:
        imported(Conversations(transcript, "ada", is_one_users=True), store)

        assert imported(Conversations(transcript, "ada"), store).known == {"message": 4}
        assert fingerprint(transcript)
