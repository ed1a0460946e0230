"""What an encrypted store keeps, hides, refuses, and whom it keeps apart."""

from __future__ import annotations

import asyncio
import base64
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.store.base import GetOp, PutOp
from typer.testing import CliRunner

from graph_memory import (
    BufferMemory,
    KeyValueMemory,
    Scope,
    VectorMemory,
    areencrypt,
    attach,
    new_key,
    open_memory,
    open_store,
    reencrypt,
)
from graph_memory.cli.app import app
from graph_memory.errors import ConfigurationError, ConflictError, StoreError
from graph_memory.stores.claims import HOLDER, ClaimOp
from graph_memory.stores.encrypted import EncryptedStore
from graph_memory.stores.sqlite import SqliteStore
from tests.fakes import Assistant, call, in_thread

ADA, BOB = ("users", "ada"), ("users", "bob")
SECRET = "the vault code is 4711"


def everything_in(path: Path) -> bytes:
    """All bytes of a database and its log."""
    return b"".join(file.read_bytes() for file in sorted(path.parent.glob(f"{path.name}*")))


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_nothing_of_a_value_reaches_the_disk(mode: str, tmp_path: Path) -> None:
    """Not as text, not as words of an index."""
    path = tmp_path / "memory.db"
    with open_store(f"sqlite:///{path}", encrypt=new_key()) as store:
        put = PutOp(ADA, "k", {"text": SECRET, "deep": {"er": [SECRET]}, "kind": "fact"})
        assert (store.batch([put]) if mode == "sync" else asyncio.run(store.abatch([put]))) == [None]
        assert store.get(ADA, "k").value == put.value
        assert [hit.value for hit in store.search(ADA, filter={"kind": "fact"})] == [put.value]
    kept = everything_in(path)
    assert not [word for word in (b"vault", b"4711", b"deep") if word in kept]


def test_what_is_left_in_the_clear_is_searched_and_filtered(tmp_path: Path) -> None:
    """And the rest of the value comes with it."""
    path = tmp_path / "memory.db"
    with open_store(f"sqlite:///{path}", encrypt=new_key(), clear=["text", "topic"]) as store:
        store.put(ADA, "k", {"text": "Ada likes tea", "topic": "drinks", "note": SECRET})
        [hit] = store.search(ADA, query="tea", filter={"topic": "drinks"})
        assert hit.value == {"text": "Ada likes tea", "topic": "drinks", "note": SECRET}
        assert hit.parts["words"] == 1.0
        assert store.ranking == "words"
    assert b"vault" not in everything_in(path)


def test_what_is_sealed_is_not_filtered_by_or_searched() -> None:
    """And the refusal says what to do."""
    with open_store("sqlite://", encrypt=new_key()) as store:
        store.put(ADA, "k", {"text": SECRET, "topic": "drinks"})
        with pytest.raises(ConfigurationError, match=r"a filter by topic is not possible.*clear=\['topic'\]"):
            store.search(ADA, filter={"topic": "drinks"})
        with pytest.raises(ConfigurationError, match="a search by words or meaning is not possible"):
            store.search(ADA, query="vault")
        assert store.ranking == "nothing"
        assert len(store.search(ADA)) == 1


def test_a_value_that_is_moved_does_not_open() -> None:
    """Neither in another user's namespace nor under another key; nor one that was changed."""
    with SqliteStore(None) as beneath:
        store = EncryptedStore(beneath, new_key())
        store.put(ADA, "k", {"text": SECRET})
        sealed = beneath.get(ADA, "k").value
        for place in ((BOB, "k"), (ADA, "other"), (("users", "ada", "k"), "")):
            beneath.put(*place, sealed)
            with pytest.raises(StoreError, match="changed, or moved"):
                store.get(*place)
        name, _, data = sealed["sealed"].partition(".")
        raw = bytearray(base64.b64decode(data))
        raw[-1] ^= 1
        for broken in (f"{name}.{base64.b64encode(raw).decode()}", f"{name}.!", f"{name}.", 7):
            beneath.put(ADA, "k", {"sealed": broken})
            with pytest.raises(StoreError):
                store.get(ADA, "k")


def test_another_key_is_one_clear_error() -> None:
    """Said of the key, by what it is called; nothing is half read."""
    with SqliteStore(None) as beneath:
        EncryptedStore(beneath, new_key()).put(ADA, "k", {"text": SECRET})
        with pytest.raises(StoreError, match="which is not among the keys given"):
            EncryptedStore(beneath, new_key()).search(ADA)


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_keys_are_changed_one_after_the_other(mode: str) -> None:
    """The first seals, all open; an old one is left out when all was sealed again, and what was searched still is."""
    old, new = new_key(), new_key()
    with SqliteStore(None) as beneath:
        before = EncryptedStore(beneath, old, clear=["search"])
        before.put(ADA, "memo", {"search": "Ada likes tea", "n": 1}, index=["search"])
        before.put(ADA, "claim", {"operation": "one", "n": 1}, index=False)
        before.put(BOB, "brief", {"n": 1}, index=False, ttl=5)
        both = EncryptedStore(beneath, [new, old], clear=["search"])
        both.put(BOB, "k", {"n": 1})
        assert len(both.search(())) == 4
        done = reencrypt(both) if mode == "sync" else asyncio.run(areencrypt(both))
        assert (done.written, done.left) == (3, 0)
        after = EncryptedStore(beneath, new, clear=["search"])
        assert [hit.value for hit in after.search(ADA, query="tea")] == [{"search": "Ada likes tea", "n": 1}]
        assert len(after.search(ADA)) == 2
        assert after.get(BOB, "brief").value == {"n": 1}
        assert reencrypt(both).written == 0


def test_keys_are_changed_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what was plain, too, when asked; without a key nothing is done."""
    url, key = f"sqlite:///{tmp_path / 'memory.db'}", new_key()
    with open_store(url) as store:
        store.batch([PutOp(ADA, str(n), {"n": n}) for n in range(250)])

    def told(*options: str) -> Any:
        return CliRunner().invoke(app, ["reencrypt", url, *options])

    monkeypatch.delenv("GRAPH_MEMORY_ENCRYPTION_KEYS", raising=False)
    assert "set GRAPH_MEMORY_ENCRYPTION_KEYS" in str(told().exception)
    monkeypatch.setenv("GRAPH_MEMORY_ENCRYPTION_KEYS", f"{key},{new_key()}")
    assert "reads_plain" in str(told().exception)
    assert told("--reads-plain").output == "sealed again: 250; left: 0\n"
    with open_store(url, encrypt=key) as store:
        assert sorted(item.value["n"] for item in store.search(ADA, limit=1000)) == list(range(250))


def test_only_an_encrypted_store_has_keys_to_change() -> None:
    """One sentence."""
    with SqliteStore(None) as beneath, pytest.raises(ConfigurationError, match="only an encrypted store"):
        reencrypt(beneath)


NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)


@given(st.dictionaries(st.text(), NUMBERS | st.text() | st.booleans() | st.none() | st.lists(NUMBERS), max_size=4))
def test_what_stands_in_the_clear_is_bound_to_the_rest(clear: dict[str, Any]) -> None:
    """Whatever it is, it opens as it was, and not when it was changed, added to or taken from."""
    with SqliteStore(None) as beneath:
        store = EncryptedStore(beneath, new_key())
        store.put(ADA, "k", {"origin": clear, "kind": "fact", "text": SECRET}, index=False)
        assert store.get(ADA, "k").value == {"origin": clear, "kind": "fact", "text": SECRET}
        kept = beneath.get(ADA, "k").value
        without = {name: part for name, part in kept.items() if name != "kind"}
        for changed in ({**kept, "kind": "rumour"}, {**kept, "day": 1}, {**kept, "origin": {"a": clear}}, without):
            beneath.put(ADA, "k", changed, index=False)
            with pytest.raises(StoreError, match="changed, or moved"):
                store.get(ADA, "k")


@given(st.lists(NUMBERS | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_database_may_write_numbers_its_own_way(postgres_url: str, clear: list[Any]) -> None:
    """Postgres keeps them as decimals; what was written opens all the same."""
    with open_store(postgres_url, encrypt=new_key()) as store:
        store.put(ADA, "k", {"origin": clear, "text": SECRET}, index=False)
        assert store.get(ADA, "k").value["text"] == SECRET


def test_plain_values_are_refused_unless_they_are_expected() -> None:
    """Whoever writes to the database cannot pass something off as ours; what is from before is read when told so."""
    with SqliteStore(None) as beneath:
        beneath.put(ADA, "k", {"text": "from before"})
        with pytest.raises(StoreError, match="reads_plain=True"):
            EncryptedStore(beneath, new_key()).get(ADA, "k")
        assert EncryptedStore(beneath, new_key(), reads_plain=True).get(ADA, "k").value == {"text": "from before"}


def test_slots_are_claimed_as_ever() -> None:
    """Who holds one stays in the clear; what else it says does not."""
    with SqliteStore(None) as beneath:
        store: Any = EncryptedStore(beneath, new_key())
        store.batch([ClaimOp(ADA, "slot", {"operation": "one", "keys": [SECRET]})])
        with pytest.raises(ConflictError):
            store.batch([ClaimOp(ADA, "slot", {"operation": "two"}), PutOp(ADA, "beside", {})])
        assert store.batch([GetOp(ADA, "slot")])[0].value == {"operation": "one", "keys": [SECRET]}
        assert not store.put_if_absent(ADA, "slot", {"n": 1})
        assert store.put_if_absent(ADA, "new", {"n": 1})
        assert SECRET not in str(beneath.get(ADA, "slot").value)


@pytest.mark.parametrize("key", ["short", b"", "A" * 42, "ä", [], 7])
def test_what_is_no_key_is_refused(key: Any) -> None:
    """Before anything is written."""
    with pytest.raises((ConfigurationError, TypeError)), open_store("sqlite://", encrypt=key):
        pass


def test_options_of_encryption_need_a_key() -> None:
    """Or somebody would believe that it is on."""
    with pytest.raises(ConfigurationError, match="give a key"):
        open_store("sqlite://", clear=["text"])
    with pytest.raises(ConfigurationError, match="give a key"):
        open_store("sqlite://", encrypt=None)


@pytest.mark.parametrize("mode", ["invoke", "ainvoke"])
def test_a_graph_with_memory_leaves_nothing_readable(mode: str, tmp_path: Path) -> None:
    """Checkpoints neither; and it remembers."""
    path = tmp_path / "memory.db"
    builder, node = StateGraph(MessagesState), Assistant()
    builder.add_node("assistant", node)
    builder.add_edge(START, "assistant")
    builder.add_edge("assistant", END)
    attach(builder, "assistant", [BufferMemory(), KeyValueMemory()], budget_tokens=1000)
    key = new_key()

    def talk(text: str, opened: Any) -> None:
        graph = builder.compile(store=opened.store, checkpointer=opened.checkpointer)
        call(graph, "invoke", {"messages": [("user", text)]}, in_thread())

    async def atalk(text: str) -> None:
        async with open_memory(f"sqlite:///{path}", encrypt=key) as opened:
            graph = builder.compile(store=opened.store, checkpointer=opened.checkpointer)
            await graph.ainvoke({"messages": [("user", text)]}, in_thread())

    for text in (SECRET, "what is it?"):
        if mode == "invoke":
            with open_memory(f"sqlite:///{path}", encrypt=key) as opened:
                talk(text, opened)
        else:
            asyncio.run(atalk(text))
    assert SECRET in node.text
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM gm_items").fetchone()[0] > 0
        assert connection.execute("SELECT count(*) FROM checkpoints").fetchone()[0] > 0
    assert b"vault" not in everything_in(path)


def test_memories_search_what_they_may() -> None:
    """With the fields that they search left in the clear; what was said before is found again."""
    with open_store("sqlite://", encrypt=new_key(), clear=["search", "speaker"]) as store:
        memory = VectorMemory()
        builder, node = StateGraph(MessagesState), Assistant()
        builder.add_node("assistant", node)
        builder.add_edge(START, "assistant")
        builder.add_edge("assistant", END)
        attach(builder, "assistant", [memory], budget_tokens=1000)
        graph = builder.compile(store=store)
        call(graph, "invoke", {"messages": [("user", "My boat is called Zephyr.")]}, in_thread("1"))
        found = memory.get_context(Scope(user_id="ada", thread_id="2"), "What is my boat called?", store=store)
        assert "Zephyr" in str(found)
        assert store.search(("graph_memory",), query="boat")


def test_the_gate_of_a_tier_is_no_plain_item() -> None:
    """It stands in the clear beneath, after an outage: what reads everything passes it by."""
    with open_store("sqlite://", encrypt=new_key()) as store:
        store.put(ADA, "k", {"text": SECRET})
        store.store.put(("graph_memory_tier",), "gate", {HOLDER: "x", "closed": False})

        assert {item.key for item in store.search(())} == {"k", "gate"}
        store.store.put(("graph_memory_tier",), "plain", {"closed": False})
        with pytest.raises(StoreError, match="not encrypted"):
            store.search(())
