"""The graphs of langgraph.json in `langgraph dev`, over its API, as LangGraph Studio uses them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from graphs.draw import PAGES, picture, with_pictures
from tests.studio_server import CONFIG, ROOT, Studio, studio
from tests.supabase_projects import Project

MEMORIES = {
    "chat": ("buffer", "summary", "vector", "entity", "key_value", "working"),
    "orchestrator": ("buffer", "summary", "vector", "entity", "key_value", "working"),
    "agents": ("buffer", "vector", "working"),
    **{kind: (kind,) for kind in ("buffer", "summary", "vector", "working", "key_value", "entity")},
}
RECALLING = {"orchestrator": ["memory_orchestrator"], "agents": ["researcher_memory", "writer_memory"]}
TOLD, ASKED, ANSWER = "I live in Vienna.", "Where do I live?", "Vienna"
WORDS = {
    "working": ("Plan the garden party in Vienna.", "What is the task?", "Vienna"),
    "key_value": ("I prefer concise answers, in German.", "Which answers do I prefer?", "concise"),
}
BLOCKING = """
import time
from langgraph.graph import START, MessagesState, StateGraph

async def sleeps(state):
    time.sleep(0.1)

graph = StateGraph(MessagesState).add_node(sleeps).add_edge(START, "sleeps").compile()
"""
OWN = """
from contextlib import asynccontextmanager
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore

store = InMemoryStore()

@asynccontextmanager
async def checkpointer():
    yield InMemorySaver()
"""
each_graph = pytest.mark.parametrize("graph", list(CONFIG["graphs"]))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """langgraph.json as it is, with a graph beside its own that blocks."""
    folder = tmp_path_factory.mktemp("studio")
    (folder / "blocking.py").write_text(BLOCKING, encoding="utf-8")
    graphs = {**CONFIG["graphs"], "blocking": f"{folder}/blocking.py:graph"}
    with studio(folder, {**CONFIG, "graphs": graphs}) as running:
        yield running


@pytest.fixture
async def client(server: Studio) -> AsyncIterator[LangGraphClient]:
    """Of the module's server."""
    async with get_client(url=server.url) as opened:
        yield opened


def said(text: str) -> dict[str, Any]:
    """A run's input."""
    return {"messages": [{"role": "user", "content": text}]}


async def take_turn(client: LangGraphClient, thread: str, graph: str, text: str, user: str, **options: Any) -> str:
    """Says `text` and returns what came of it: the answer or, where none is given, the context that was made."""
    shown = ""
    async for part in client.runs.stream(
        thread, graph, input=said(text), context={"user_id": user}, stream_mode=["updates"], **options
    ):
        assert part.event != "error", part.data
        for update in part.data.values() if part.event == "updates" else []:
            shown = str((update or {}).get("messages") or (update or {}).get("memory_context") or shown)
    return shown


async def new_thread(client: LangGraphClient) -> str:
    """A thread's id."""
    thread: str = (await client.threads.create())["thread_id"]
    return thread


@each_graph
async def test_the_drawing_shows_each_memory_as_a_node(client: LangGraphClient, graph: str) -> None:
    """With xray, the orchestrator is a subgraph of plan, memories and merge."""
    drawn = await client.assistants.get_graph(await assistant_of(client, graph), xray=True)

    nodes = {str(node["id"]) for node in drawn["nodes"]}
    for subgraph in RECALLING.get(graph, ["assistant_memory"]):
        assert {f"{subgraph}:{name}" for name in ("plan", *MEMORIES[graph], "merge")} <= nodes


@each_graph
async def test_schemas_carry_what_studio_reads(client: LangGraphClient, graph: str) -> None:
    """Which node a setting belongs to, and which one is a prompt; the nodes are there."""
    assistant = await assistant_of(client, graph)
    schemas = await client.assistants.get_schemas(assistant)
    nodes = {node["id"] for node in (await client.assistants.get_graph(assistant))["nodes"]}

    settings = schemas["context_schema"]["properties"]
    assert all(set(setting["langgraph_nodes"]) <= nodes for setting in settings.values())
    assert "user_id" in settings
    assert graph == "orchestrator" or settings["system_prompt"]["langgraph_type"] == "prompt"
    assert "messages" in schemas["input_schema"]["properties"]


async def assistant_of(client: LangGraphClient, graph: str) -> str:
    """Id of the assistant that the server made for a graph."""
    [found] = await client.assistants.search(graph_id=graph)
    assistant: str = found["assistant_id"]
    return assistant


@each_graph
async def test_a_streamed_run_tells_its_story(client: LangGraphClient, graph: str) -> None:
    """What each memory recalled and in how many milliseconds, how the budget was split, what was dropped."""
    user = uuid4().hex
    events = []
    async for part in client.runs.stream(
        await new_thread(client),
        graph,
        input=said(TOLD),
        context={"user_id": user},
        stream_mode=["custom"],
        stream_subgraphs=True,
    ):
        assert part.event != "error", part.data
        events += [part.data["graph_memory"]] if part.event.startswith("custom") else []

    recalled = [event for event in events if event["event"] == "recalled"]
    assert {event["memory"] for event in recalled} == set(MEMORIES[graph])
    assert all(event["elapsed_ms"] >= 0 and not event["degraded"] for event in recalled)
    for assembled in (event for event in events if event["event"] == "assembled"):
        assert sum(assembled["tokens"].values()) == assembled["total_tokens"] <= assembled["budget_tokens"]
        assert assembled["dropped_count"] == len(assembled["dropped"])
    assert any(event["event"] == "assembled" for event in events)


@each_graph
async def test_a_second_turn_remembers(client: LangGraphClient, graph: str) -> None:
    """And state and store can be read over the API."""
    user = uuid4().hex
    thread = await new_thread(client)
    told, asked, answer = WORDS.get(graph, (TOLD, ASKED, ANSWER))
    await take_turn(client, thread, graph, told, user)

    assert answer in await take_turn(client, thread, graph, asked, user)
    state = await client.threads.get_state(thread)
    assert [m["content"] for m in state["values"]["messages"] if m["type"] == "human"] == [told, asked]
    kept = await client.store.search_items(("graph_memory", f"user:{user}:"), limit=50)
    assert bool(kept["items"]) == (graph not in ("orchestrator", "working"))  # these two write nothing that lasts


async def test_a_fork_forgets_the_abandoned_future(client: LangGraphClient) -> None:
    """From the checkpoint after the first turn, what the second one told was never said."""
    user = uuid4().hex
    thread = await new_thread(client)
    await take_turn(client, thread, "chat", TOLD, user)
    before = (await client.threads.get_state(thread))["checkpoint"]
    await take_turn(client, thread, "chat", "My dog is called Rex.", user)
    assert "Rex" in await take_turn(client, thread, "chat", "What is my dog called?", user)

    forked = await take_turn(client, thread, "chat", "What is my dog called?", user, checkpoint=before)

    assert "Rex" not in forked
    assert ANSWER in await take_turn(client, thread, "chat", ASKED, user)


async def test_a_copied_thread_remembers_what_its_original_did(client: LangGraphClient) -> None:
    """And goes its own way from there."""
    user = uuid4().hex
    thread = await new_thread(client)
    await take_turn(client, thread, "chat", TOLD, user)
    copied: Any = await client.threads.copy(thread)
    copy = copied["thread_id"] if copied else await newest_thread(client, thread)

    assert ANSWER in await take_turn(client, copy, "chat", ASKED, user)
    await take_turn(client, copy, "chat", "My dog is called Rex.", user)
    assert "Rex" not in await take_turn(client, thread, "chat", "What is my dog called?", user)


async def newest_thread(client: LangGraphClient, original: str) -> str:
    """The thread that was made last, beside the original."""
    threads = await client.threads.search(limit=10, sort_by="created_at", sort_order="desc")
    return next(str(thread["thread_id"]) for thread in threads if thread["thread_id"] != original)


async def test_nothing_blocks_with_twenty_runs_at_once(client: LangGraphClient) -> None:
    """The server fails a node that blocks its loop, which a graph that does shows; none of ours does."""
    blocked = await client.runs.wait(None, "blocking", input=said("hi"), raise_error=False)
    assert "Blocking" in str(blocked)

    graphs = [graph for graph in CONFIG["graphs"] for _ in range(20 // len(CONFIG["graphs"]) + 1)][:20]
    users = [uuid4().hex for _ in graphs]
    threads = [await new_thread(client) for _ in graphs]
    for text in (0, 1):
        answers = await asyncio.gather(
            *(
                take_turn(client, thread, graph, WORDS.get(graph, (TOLD, ASKED))[text], user)
                for thread, graph, user in zip(threads, graphs, users, strict=True)
            )
        )
    assert [
        graph
        for graph, answer in zip(graphs, answers, strict=True)
        if WORDS.get(graph, ("", "", ANSWER))[2] not in answer
    ] == []


async def remembers_in_both_threads(running: Studio) -> None:
    """Two turns in a thread, one in another; what the server's detector finds fails them."""
    user = uuid4().hex
    async with get_client(url=running.url) as client:
        thread = await new_thread(client)
        await take_turn(client, thread, "chat", TOLD, user)

        assert ANSWER in await take_turn(client, thread, "chat", ASKED, user)
        assert ANSWER in await take_turn(client, await new_thread(client), "chat", ASKED, user)
        assert (await client.store.search_items(("graph_memory", f"user:{user}:")))["items"]


@pytest.mark.parametrize("kind", ["redis", "postgres"])
async def test_the_environment_names_another_place(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    """Store and checkpointer of langgraph.json are where GRAPH_MEMORY_URL says."""
    url = request.getfixturevalue("redis_server").url if kind == "redis" else request.getfixturevalue("postgres_url")
    config = {**CONFIG, "graphs": {"chat": CONFIG["graphs"]["chat"]}}
    with studio(tmp_path, config, GRAPH_MEMORY_URL=url) as running:
        await remembers_in_both_threads(running)
    assert not (tmp_path / "memory.db").exists()


async def test_a_supabase_is_another_place(supabase: Project, tmp_path: Path) -> None:
    """Its key is taken from the environment, too."""
    config = {**CONFIG, "graphs": {"chat": CONFIG["graphs"]["chat"]}}
    place = {"GRAPH_MEMORY_URL": supabase.url, "GRAPH_MEMORY_SUPABASE_KEY": supabase.service_key}
    with studio(tmp_path, config, **place) as running:
        await remembers_in_both_threads(running)
    assert supabase.threads()["checkpoints"]


@pytest.mark.parametrize("place", ["own", "none"])
async def test_other_stores_and_checkpointers_serve_too(tmp_path: Path, place: str) -> None:
    """The user's own, or those that the server brings when langgraph.json names none."""
    config = {"graphs": {"chat": CONFIG["graphs"]["chat"]}}
    if place == "own":
        (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
        config |= {name: {"path": f"{tmp_path}/own.py:{name}"} for name in ("store", "checkpointer")}
    with studio(tmp_path, config) as running:
        await remembers_in_both_threads(running)
    assert not (tmp_path / "memory.db").exists()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_shows_the_graphs_as_they_are(path: Path) -> None:
    """`make picture` was run since a graph changed; a block of Mermaid without a graph is none of ours."""
    page = path.read_text(encoding="utf-8")

    assert with_pictures(page) == page
    assert page.count("```mermaid\n") == page.count("<!-- picture: ")


def test_the_readme_shows_the_chat_graph() -> None:
    """With every memory; it is kept as text beside the pages, too."""
    assert picture("chat") in (ROOT / "README.md").read_text(encoding="utf-8")
    assert (ROOT / "docs" / "chat-graph.mmd").read_text(encoding="utf-8") == picture("chat")
    assert all(f"({name})" in picture("chat") for name in ("plan", *MEMORIES["chat"], "merge"))
