"""open_store, open_checkpointer and open_memory."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.base import BaseStore

from graph_memory.checkpoints import open_checkpointer
from graph_memory.errors import ConfigurationError, StoreError
from graph_memory.opening import open_memory, options_from_env
from graph_memory.sealing import new_key
from graph_memory.stores import open_store
from graph_memory.stores.encrypted import EncryptedStore
from graph_memory.testing.stores import embed_concepts
from tests.store_helpers import ADA

CONFIG = {"configurable": {"thread_id": "1"}}
OPENERS = [open_store, open_checkpointer, open_memory]


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'memory.db'}"


def enter(opening) -> object:
    """What a `with` block is given."""
    with opening as opened:
        return opened


async def aenter(opening) -> object:
    """What an `async with` block is given."""
    async with opening as opened:
        return opened


def graph_of(memory):
    """A graph that counts its turns in the store, and keeps its messages in the checkpointer."""

    def count(state: MessagesState, *, store: BaseStore) -> dict:
        store.put(ADA, f"turn {len(state['messages'])}", {"text": "a cat"})
        return {"messages": [AIMessage("ok")]}

    async def acount(state: MessagesState, *, store: BaseStore) -> dict:
        await store.aput(ADA, f"turn {len(state['messages'])}", {"text": "a cat"})
        return {"messages": [AIMessage("ok")]}

    builder = StateGraph(MessagesState)
    builder.add_node("count", acount if isinstance(memory.checkpointer, AsyncSqliteSaver) else count)
    builder.add_edge(START, "count")
    return builder.compile(store=memory.store, checkpointer=memory.checkpointer)


def test_a_store_opens_in_both_kinds_of_block(url):
    """And is the same store: what one wrote, the other reads."""
    with open_store(url) as store:
        store.put(ADA, "a", {"n": 1})

    async def read() -> object:
        async with open_store(url) as store:
            return (await store.aget(ADA, "a")).value

    assert asyncio.run(read()) == {"n": 1}


def test_a_url_can_be_relative(tmp_path, monkeypatch):
    """To the working directory."""
    monkeypatch.chdir(tmp_path)
    enter(open_store("sqlite:///here.db"))
    assert (tmp_path / "here.db").exists()


def test_nothing_is_made_before_the_block_is_entered(url, tmp_path):
    """Opening reads and writes nothing by itself."""
    for opener in OPENERS:
        opener(url)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("opener", OPENERS)
def test_unknown_options_are_named(opener, url):
    """With the known ones."""
    with pytest.raises(ConfigurationError, match=r"unknown option dim, tll for .*known are .*timeout_seconds"):
        opener(url, dim=5, tll=1)


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("url", ["memory.db", "mysql://x", "postgresql://x?no=such"])
def test_other_places_are_refused(opener, url):
    """By every opener in the same way."""
    with pytest.raises(ConfigurationError):
        opener(url)


def test_an_embedder_that_cannot_be_loaded_is_a_wrong_setting():
    """Named by a string of `init_embeddings`."""
    with pytest.raises(ConfigurationError, match="embedder cannot be loaded"):
        open_store("sqlite://", embed="nobody:nothing")


def test_options_reach_the_store(url):
    """Those of the store through `open_memory` too."""
    with open_memory(url, embed=embed_concepts, fields=["title"], timeout_seconds=3) as memory:
        memory.store.put(ADA, "a", {"title": "a cat", "text": "the sea"})
        assert memory.store.search(ADA, query="feline")[0].parts["meaning_raw"] > 0.9


def test_each_block_gets_the_checkpointer_that_fits(url):
    """LangGraph's sync saver for `with`, its async one for `async with`, one for both in memory."""
    assert isinstance(enter(open_checkpointer(url)), SqliteSaver)
    assert isinstance(asyncio.run(aenter(open_checkpointer(url))), AsyncSqliteSaver)
    assert isinstance(enter(open_checkpointer("sqlite://")), InMemorySaver)
    assert isinstance(asyncio.run(aenter(open_checkpointer("sqlite://"))), InMemorySaver)


def test_store_and_checkpoints_share_one_file(url, tmp_path):
    """Across closing and reopening, invoked and awaited by turns."""
    with open_memory(url, embed=embed_concepts) as memory:
        graph_of(memory).invoke({"messages": [("user", "hello")]}, CONFIG)

    async def second() -> list[str]:
        async with open_memory(url, embed=embed_concepts) as memory:
            await graph_of(memory).ainvoke({"messages": [("user", "again")]}, CONFIG)
            assert len(await memory.store.asearch(ADA, query="feline")) == 2
            return [message.content for message in (await graph_of(memory).aget_state(CONFIG)).values["messages"]]

    assert asyncio.run(second()) == ["hello", "ok", "again", "ok"]
    assert os.listdir(tmp_path) == ["memory.db"]


def test_memory_in_memory_serves_both_ways():
    """And is gone after the block."""
    with open_memory("sqlite://") as memory:
        graph = graph_of(memory)
        graph.invoke({"messages": [("user", "hello")]}, CONFIG)
        asyncio.run(graph.ainvoke({"messages": [("user", "again")]}, CONFIG))
        assert len(memory.store.search(ADA)) == 2
    with open_memory("sqlite://") as memory:
        assert memory.store.search(ADA) == []


def test_many_threads_write_store_and_checkpoints_of_one_file(url):
    """Two tables' worth of writers on one file do not lock each other out."""
    with open_memory(url, embed=embed_concepts) as memory, ThreadPoolExecutor(6) as pool:
        graph = graph_of(memory)
        configs = [{"configurable": {"thread_id": str(n)}} for n in range(24)]
        list(pool.map(lambda config: graph.invoke({"messages": [("user", "hi")]}, config), configs))
        assert all(len(graph.get_state(config).values["messages"]) == 2 for config in configs)


def test_many_tasks_write_store_and_checkpoints_of_one_file(url):
    """The same, awaited."""

    async def work() -> None:
        async with open_memory(url, embed=embed_concepts) as memory:
            graph = graph_of(memory)
            configs = [{"configurable": {"thread_id": str(n)}} for n in range(24)]
            await asyncio.gather(*(graph.ainvoke({"messages": [("user", "hi")]}, config) for config in configs))
            states = [await graph.aget_state(config) for config in configs]
            assert all(len(state.values["messages"]) == 2 for state in states)

    asyncio.run(work())


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("mode", ["sync", "async"])
def test_bad_files_are_reported_on_entering(opener, mode, tmp_path):
    """Damaged, foreign, in a missing folder: our errors, from stores and checkpointers alike, and no leak."""
    (tmp_path / "text.db").write_text("no database at all " * 100)
    with closing(sqlite3.connect(tmp_path / "foreign.db")) as connection:
        connection.execute("CREATE TABLE invoices (id)")

    for name, error, message in [
        ("text.db", StoreError, "no SQLite database"),
        ("foreign.db", StoreError, "another program"),
        ("missing/memory.db", ConfigurationError, "does not exist"),
    ]:
        opening = opener(f"sqlite:///{tmp_path / name}")
        with pytest.raises(error, match=message):
            enter(opening) if mode == "sync" else asyncio.run(aenter(opening))


@pytest.mark.parametrize("opener", OPENERS)
def test_a_file_that_cannot_be_made_is_reported(opener):
    """Here because the folder takes no files."""
    with pytest.raises(StoreError, match="check the permissions"):
        enter(opener("sqlite:////proc/memory.db"))


def test_a_checkpointer_takes_a_file_that_holds_a_store(url):
    """In either order."""
    enter(open_store(url))
    with open_checkpointer(url) as saver:
        saver.setup()
    enter(open_store(url))


def test_opening_a_store_does_not_load_graphs():
    """Importing and opening stay light: no `langgraph.graph`."""
    script = (
        "import sys, graph_memory.stores, graph_memory.checkpoints, graph_memory.opening\n"
        "assert not [name for name in sys.modules if name.startswith('langgraph')], 'imported langgraph'\n"
        "with graph_memory.stores.open_store('sqlite://') as store: store.put(('a',), 'k', {'text': 'x'})\n"
        "assert 'langgraph.graph' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)


def test_variables_encrypt_a_checkpointer_as_they_do_its_store(url: str, tmp_path: Path) -> None:
    """Whether the two are opened together or apart, no word of a thread is readable in the file."""
    environ = {"GRAPH_MEMORY_ENCRYPTION_KEYS": new_key(), "GRAPH_MEMORY_HOT": "", "GRAPH_MEMORY_PREFIX": "for a Redis"}
    builder = StateGraph(MessagesState)
    builder.add_node("assistant", lambda state: {"messages": [AIMessage("the vault opens at four")]})
    builder.add_edge(START, "assistant")
    for opener in (
        open_memory(url, **options_from_env(url, environ)),
        open_checkpointer(url, **options_from_env(url, environ, of="checkpointer")),
    ):
        with opener as opened:
            saver = getattr(opened, "checkpointer", opened)
            assert builder.compile(checkpointer=saver).invoke({"messages": []}, CONFIG)["messages"][-1].text
    with open_store(url, **options_from_env(url, environ, of="store")) as store:
        assert isinstance(store, EncryptedStore)

    assert not [path for path in tmp_path.iterdir() if b"vault" in path.read_bytes()]
