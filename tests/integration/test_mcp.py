"""`graph-memory mcp`: a user's memory over the Model Context Protocol, by the official client."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import TextContent

from graph_memory import Scope, memory_tools, open_store, search
from graph_memory.cli.mcp import server
from graph_memory.memories.entity import EntityMemory
from graph_memory.memories.key_value.memory import KeyValueMemory
from graph_memory.memories.vector import VectorMemory
from graph_memory.memories.working.memory import WorkingMemory
from tests.fakes import BrokenStore

Ask = Callable[..., Awaitable[str]]


def asking(client: Client) -> Ask:
    """Calls a tool and gives its text; after "! " when it is an error."""

    async def ask(tool: str, **arguments: Any) -> str:
        result = await client.call_tool(tool, arguments)
        [content] = result.content
        assert isinstance(content, TextContent)
        return ("! " if result.is_error else "") + content.text

    return ask


async def use(ask: Ask) -> None:
    """Saves, finds, changes and forgets."""
    saved = await ask("save_memory", text="Ines lives in Ghent.")
    key = saved.partition("[")[2].partition("]")[0]
    assert await ask("save_memory", key="language", text="Dutch") == "saved as language"
    assert f"[{key}]" in await ask("search_memory", query="Where does Ines live?")
    assert await ask("update_memory", id=key, text="Ines lives in Bruges.") == f"updated, now [{key}]"
    assert (await ask("list_memories")).splitlines()[0] == "language: Dutch"
    assert await ask("note", key="plan", text="book a train") == "noted as plan"
    assert await ask("read_notes") == "plan: book a train"
    assert await ask("look_up_entity", name="Zoltan") == "nothing is known under that name"
    assert await ask("forget_memory", id="language") == "forgotten"


async def test_the_tools_are_those_of_an_agent() -> None:
    """With the same names, descriptions and arguments."""
    with open_store("sqlite://") as store:
        async with Client(server(Scope(user_id="ada"), store)) as client:
            listed = (await client.list_tools()).tools

    mine = memory_tools([VectorMemory(), KeyValueMemory(), EntityMemory(), WorkingMemory()])
    assert [(tool.name, tool.description) for tool in listed] == [(tool.name, tool.description) for tool in mine]
    assert [set(tool.input_schema["properties"]) for tool in listed] == [set(tool.args) for tool in mine]


async def test_another_user_has_another_memory() -> None:
    """Whatever the arguments say; nonsense is a sentence, and so is a store that fails."""
    with open_store("sqlite://") as store:
        async with Client(server(Scope(user_id="ada"), store)) as client:
            await use(asking(client))
            [found] = search(Scope(user_id="ada"), "", store=store, kinds=["fact"])
        async with Client(server(Scope(user_id="bob"), store)) as client:
            ask = asking(client)
            assert await ask("list_memories", user_id="ada", namespace=["graph_memory"]) == "nothing is saved yet"
            assert (await ask("forget_memory", id=found.memo.id)).startswith("! nothing is saved under that id")
            assert await ask("read_notes") == "there are no notes"
            assert await ask("save_memory", text={"a": 1}) == "! text: Input should be a valid string"
            assert await ask("save_memory") == "! text: Field required"
            assert (await ask("drop_tables")).startswith("! there is no such tool: choose from search_memory")
        assert [one.memo.text for one in search(Scope(user_id="ada"), "", store=store, kinds=["fact"])] == [
            "Ines lives in Bruges."
        ]
    async with Client(server(Scope(user_id="ada"), BrokenStore(lambda op: True))) as client:
        assert await asking(client)("save_memory", text="x") == "! memory cannot be reached now: go on without it"


async def test_it_serves_over_stdio(tmp_path: Path) -> None:
    """In a process of its own; what is saved is there for the next one."""
    url = f"sqlite:///{tmp_path / 'memory.db'}"
    command = ["-W", "error", "-m", "graph_memory.cli", "mcp", url, "--user", "ada"]
    process = StdioServerParameters(command=sys.executable, args=command, cwd=str(Path(__file__).parents[2]))

    async with Client(stdio_client(process)) as client:
        await use(asking(client))
    async with Client(stdio_client(process)) as client:
        assert "Bruges" in await asking(client)("list_memories")


async def test_a_wrong_url_is_a_sentence(tmp_path: Path) -> None:
    """On stderr, with exit code 1."""
    command = [sys.executable, "-m", "graph_memory.cli", "mcp", "mysql://here"]
    process = await asyncio.create_subprocess_exec(*command, stderr=-1, stdout=-1, cwd=str(Path(__file__).parents[2]))

    out, err = await process.communicate()

    assert (process.returncode, out) == (1, b"")
    assert err.startswith(b"graph-memory: ")
    assert b"Traceback" not in err
