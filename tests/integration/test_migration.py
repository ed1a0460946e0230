"""Imports into memory: found as if said here, written once, everybody's own, and one sentence for what cannot be used."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.store.memory import InMemoryStore

from graph_memory import (
    BufferMemory,
    ConfigurationError,
    KeyValueMemory,
    Scope,
    StoreError,
    SummaryMemory,
    VectorMemory,
    export_user,
    forget,
    open_store,
    search,
)
from graph_memory.migration import (
    BadRecordError,
    Conversations,
    Export,
    Kept,
    LangGraphItems,
    LangMem,
    Noted,
    Said,
)
from graph_memory.stores.sqlite import SqliteStore
from tests.fakes import BrokenStore
from tests.migrating import BEGAN, Listed, everything, fingerprint, imported, lines, talk
from tests.said import STORES, items_of, store_of

ADA, BOB = Scope("ada"), Scope("bob")
WAYS = ("sync", "async")

REX = ("My dog is called Rex.", "A fine name.", "Rex is a beagle.", "Good dog.")
CHESS = ("I play chess on Mondays.", "With whom?")


@pytest.fixture
def transcript(tmp_path: Path) -> Path:
    """Two users' threads of one name, mixed line by line."""
    path = tmp_path / "said.jsonl"
    ada, bob = list(talk("ada", "1", *REX)), list(talk("bob", "1", *CHESS))
    path.write_text(lines(ada[0], bob[0], ada[1], ada[2], bob[1], ada[3]), encoding="utf-8")
    return path


def langmem() -> InMemoryStore:
    """What LangMem's manager and its tool write for two users."""
    store = InMemoryStore()
    store.put(("memories", "ada"), "1", {"kind": "Memory", "content": {"content": "Ada's dog is called Rex."}})
    store.put(("memories", "ada"), "2", {"content": "Ada is allergic to nuts."})
    episode = {
        "observation": "The build failed.",
        "thoughts": "A pin was missing.",
        "action": "Pinned it.",
        "result": "Green.",
    }
    store.put(("memories", "ada"), "3", {"kind": "Episode", "content": episode})
    store.put(("memories", "ada"), "4", {"kind": "UserProfile", "content": {"name": "Ada", "age": 36, "city": None}})
    store.put(("memories", "bob"), "1", {"kind": "Memory", "content": {"content": "Bob plays chess."}})
    return store


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


def test_two_messages_under_one_id_are_both_kept(tmp_path: Path):
    """Broken exports lose nothing."""
    path = tmp_path / "said.jsonl"
    path.write_text(
        lines(*({**line, "id": "7"} for line in talk("ada", "1", "One.", "Two.", "Three."))), encoding="utf-8"
    )
    with open_store("sqlite://") as store:
        imported(Conversations(path), store)

        assert sorted(f.memo.text for f in search(ADA, "", store=store)) == ["One.", "Three.", "Two."]


def test_what_cannot_be_used_is_named_counted_and_passed_over(tmp_path: Path):
    """By its line and without its content; what stands around it is imported."""
    path, good = tmp_path / "said.jsonl", list(talk("ada", "1", "One.", "Two."))
    bad = [
        "{oops",
        {"role": "user"},
        {**good[0], "user_id": {"a": 1}},
        {**good[0], "user_id": ""},
        {**good[0], "timestamp": "soon"},
    ]
    path.write_text(lines(good[0], *bad, good[1]), encoding="utf-8")
    with open_store("sqlite://") as store:
        report = imported(Conversations(path), store)

    assert report.new == {"message": 2}
    assert report.skipped.total() == 5
    assert [line.split(" (first: ")[1].rstrip(")") for line in report.reasons()] == [f"line {n}" for n in range(2, 7)]
    assert "names no user_id" in report.reasons()[3]


@pytest.mark.parametrize("way", WAYS)
def test_a_strict_import_ends_there_and_keeps_what_stands_before(tmp_path: Path, way: str):
    """One sentence with the number of the line."""
    path = tmp_path / "said.jsonl"
    path.write_text(lines(*talk("ada", "1", "One."), "{oops", *talk("ada", "2", "Two.")), encoding="utf-8")
    with open_store("sqlite://") as store:
        with pytest.raises(BadRecordError, match="line 2: this is not JSON") as error:
            imported(Conversations(path), store, way, strict=True)

        assert [f.memo.text for f in search(ADA, "", store=store)] == ["One."]
    assert error.value.fault.where == "line 2"


def test_a_value_that_cannot_be_kept_is_skipped_alone():
    """With the reason."""
    records = [Kept("item a", "ada", "1", " ", 1, BEGAN), Kept("item b", "ada", "1", "age", 36, BEGAN)]
    with open_store("sqlite://") as store:
        report = imported(Listed(lambda: records), store)

        assert KeyValueMemory().items(ADA, store=store) == {"age": 36}
    assert report.first == {"a key has 1 to 512 characters, not all blank; this one has 1": "item a"}


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


def test_a_source_that_breaks_off_loses_nothing_that_it_gave():
    """What was read is written before the error comes out."""

    def records() -> Any:
        yield Said("1", "ada", "t", "t", HumanMessage("One.", id="1"))
        raise StoreError("the server is gone")

    with open_store("sqlite://") as store:
        with pytest.raises(StoreError, match="the server is gone"):
            imported(Listed(records), store)

        assert [f.memo.text for f in search(ADA, "", store=store)] == ["One."]


def test_a_store_that_fails_is_one_error(transcript: Path):
    """Of the store's, not of the file's."""
    with pytest.raises(StoreError):
        imported(Conversations(transcript), BrokenStore(lambda op: True))


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (LangMem("sqlite:///missing.db"), "no file missing.db"),
        (LangMem("sqlite:///missing.db", namespace="memories"), r"write \{user_id\} into the namespace"),
        (LangMem("nonsense"), "not a url"),
        (Conversations(Path("missing.jsonl")), "missing.jsonl cannot be read: No such file"),
        (Export(Path("missing.jsonl"), "ada"), "missing.jsonl cannot be read: No such file"),
    ],
)
def test_a_source_that_is_wrong_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Any, sentence: str
):
    """Before anything is written."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=sentence), open_store("sqlite://") as store:
        imported(source, store)
    assert list(tmp_path.iterdir()) == []


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


def test_the_same_text_twice_is_embedded_on_stores_that_cannot():
    """LangGraph's own store refuses a batch that embeds a text twice."""
    index: Any = {"dims": 2, "embed": lambda texts: [[1.0, 0.0] for _ in texts], "fields": ["search"]}
    store = InMemoryStore(index=index)
    facts = [Noted(str(n), "ada", str(n), "Twice.", BEGAN, {}) for n in range(2)]
    values = [Kept(str(n), "ada", str(n), "name", "Ada", BEGAN) for n in range(2)]

    assert imported(Listed(lambda: [*facts, *values]), store).new == {"fact": 2, "value": 2}


def test_an_import_that_fails_at_any_operation_is_completed_by_the_next(tmp_path: Path):
    """Episodes of sessions that are over, archived turns, facts, values and who takes part included."""
    path = tmp_path / "said.jsonl"
    later = talk("ada", "1", "Max is a cat.", "Nice.", began=BEGAN + timedelta(days=3))
    path.write_text(lines(*talk("ada", "1", *REX), *talk("bob", "1", *CHESS), *later), encoding="utf-8")
    facts: list[Any] = [
        Noted(str(n), "ada", str(n), f"Fact {n}.", BEGAN - timedelta(days=400 * n), {}) for n in range(3)
    ]
    values = [Kept(str(n), "bob", str(n), f"key {n}", n, BEGAN) for n in range(3)]
    source = Listed(lambda: [*Conversations(path).records(), *facts, *values])
    whole = InMemoryStore()
    imported(source, whole)
    assert any("episodes" in where[3] for where, _ in everything(whole))

    for count in range(1, 1000):
        left = iter(range(count))
        store = BrokenStore(lambda op, left=left: next(left, None) is None)
        try:
            imported(source, store)
        except StoreError:
            store.breaks = lambda op: False
            imported(source, store)
            assert everything(store) == everything(whole)
        else:
            break
    assert 20 < count < 999


def test_an_import_that_was_killed_goes_on_where_it_was(tmp_path: Path):
    """Killed in the middle, run again: the memory equals one that was never interrupted."""
    path, url = tmp_path / "said.jsonl", f"sqlite:///{tmp_path / 'memory.db'}"
    threads = [
        talk(f"user{n % 7}", f"t{n}", *(f"Line {i} of {n} about topic {i * n % 97}." for i in range(40)))
        for n in range(60)
    ]
    mixed = [line for row in zip(*threads, strict=True) for line in row]
    path.write_text(lines(*mixed), encoding="utf-8")
    command = [sys.executable, "-m", "graph_memory.cli", "import", str(path), "--memory", url]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    late = time.monotonic() + 60
    while not ((tmp_path / "memory.db").exists() and _count(url)):
        assert time.monotonic() < late, "nothing happened"
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = _count(url)

    with open_store(url) as store, open_store("sqlite://") as other:
        report = imported(Conversations(path), store)
        imported(Conversations(path), other)

        assert before > 0
        assert report.known["message"] + report.new["message"] == len(mixed)
        assert everything(store) == everything(other)


def _count(url: str) -> int:
    place = url.removeprefix("sqlite:///")
    with SqliteStore(place) as store:
        return len(store.search(("graph_memory",), limit=5))


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
