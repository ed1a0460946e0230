"""`graph-memory mcp`: the memory tools of one user as a server of the Model Context Protocol, over stdin and stdout.

They are those of `graph_memory.memory_tools`. There is no thread and no lineage: notes are shared by the user's agents, and what
is saved is changed in place.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pydantic import ValidationError

from graph_memory import EntityMemory, KeyValueMemory, VectorMemory, WorkingMemory, __version__
from graph_memory.errors import MissingExtraError, ModelError, StoreError
from graph_memory.graph.tool_bodies import Call, RefusedError
from graph_memory.graph.toolbox import Tool, mistake_in, sentence_of, tools_of
from graph_memory.steps import arun

try:
    from mcp import types
    from mcp.server import Server
    from mcp.server.stdio import stdio_server
except ImportError as exc:
    raise MissingExtraError("graph-memory mcp", "mcp") from exc

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

    from graph_memory.cli.settings import Settings
    from graph_memory.types import Scope

_INSTRUCTIONS = "Long-term memory of one user. Search it before you answer about them; save what will matter later."


def mcp(settings: Settings) -> None:
    """The command: serves until stdin ends.

    Raises:
        GraphMemoryError: an option is wrong, or the memory cannot be opened.
    """
    asyncio.run(_serve(settings))


def server(scope: Scope, store: BaseStore) -> Server[Any]:
    """The tools of one user as an MCP server."""
    tools = {tool.name: tool for tool in tools_of(_memories())}
    listed = [_described(tool) for tool in tools.values()]

    async def list_tools(context: Any, params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=listed)

    async def call_tool(context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        if params.name not in tools:
            return _result(f"there is no such tool: choose from {', '.join(tools)}", is_error=True)
        return await _called(tools[params.name], params.arguments or {}, scope, store)

    return Server(
        "graph-memory",
        version=__version__,
        instructions=_INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


async def _serve(settings: Settings) -> None:
    scope = settings.scope()
    async with settings.open(create=True) as memory, stdio_server() as (reading, writing):
        serving = server(scope, memory.store)
        await serving.run(reading, writing, serving.create_initialization_options())


async def _called(tool: Tool, arguments: dict[str, Any], scope: Scope, store: BaseStore) -> types.CallToolResult:
    """The answer of a tool, or a sentence that says what is wrong."""
    call = Call(scope, datetime.now(UTC), stem=uuid4().hex)
    try:
        given = tool.arguments.model_validate(arguments).model_dump()
        answer = await arun(tool.body(call, **given), store=store)
    except ValidationError as exc:
        return _result(mistake_in(exc), is_error=True)
    except (RefusedError, StoreError, ModelError) as exc:
        return _result(sentence_of(exc, tool), is_error=True)
    return _result(answer.text)


def _memories() -> list[Any]:
    return [VectorMemory(), KeyValueMemory(), EntityMemory(), WorkingMemory(shared=True)]


def _described(tool: Tool) -> types.Tool:
    return types.Tool(name=tool.name, description=tool.description, input_schema=tool.arguments.model_json_schema())


def _result(text: str, *, is_error: bool = False) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=is_error)
