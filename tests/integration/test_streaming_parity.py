"""What a client streams is the same with memory as without it, token by token and event by event, plus what memory adds.

What memory adds is told apart by its name: its nodes, its keys `memory` and `memory_context`, its custom events `graph_memory`.
Where a step number, a trigger or a random id differs, nothing is compared.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from langchain_core.messages import BaseMessage, HumanMessage
from langgraph.types import Command

from graph_memory.context.render import without_memory
from tests.fakes import in_thread
from tests.streaming_ways import SAID, WAYS

KINDS = ("messages", "updates", "values", "custom", "events")
OURS = ("memory", "memory_context")
DIFFERS = ("langgraph_step", "langgraph_triggers")
_RANDOM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?<=graph:step:)\d+")


def streamed(graph: Any, kind: str, *, is_async: bool, subgraphs: bool = False) -> list[Any]:
    """All that a client sees of three turns."""

    def turn(number: int) -> tuple[Any, Any]:
        return {"messages": [HumanMessage(SAID[number], id=f"human-{number}")]}, in_thread()

    async def seen() -> list[Any]:
        found: list[Any] = []
        for number in range(len(SAID)):
            if kind == "events":
                found += [one async for one in graph.astream_events(*turn(number), version="v2")]
            else:
                options = {"stream_mode": kind, "subgraphs": subgraphs}
                found += [one async for one in graph.astream(*turn(number), **options)]
        return found

    if is_async or kind == "events":
        return asyncio.run(seen())
    return [
        one for number in range(len(SAID)) for one in graph.stream(*turn(number), stream_mode=kind, subgraphs=subgraphs)
    ]


def plain(value: Any, *, newest: bool) -> Any:
    """A part of the stream without memory's keys and without what is random; of messages every field."""
    if isinstance(value, BaseMessage):
        message = value.model_copy(update={"content": without_memory(value.content)}) if newest else value
        return _RANDOM.sub("…", message.model_dump_json())
    if isinstance(value, Command):
        return {"update": plain(value.update, newest=newest), "goto": value.goto}
    if isinstance(value, Mapping):
        return {k: plain(one, newest=newest) for k, one in value.items() if k not in (*OURS, *DIFFERS)}
    if isinstance(value, list | tuple):
        kept = [one for one in value if not (isinstance(one, Command) and set(one.update or ()) <= set(OURS))]
        return [plain(one, newest=newest) for one in (newest_turn(kept) if newest else kept)]
    return _RANDOM.sub("…", repr(value))


def newest_turn(messages: list[Any]) -> list[Any]:
    """From the newest human message on, if there is one."""
    starts = [i for i, one in enumerate(messages) if isinstance(one, HumanMessage)]
    return messages[starts[-1] :] if starts else messages


def shown(part: Any, kind: str, *, newest: bool) -> Any:
    """A part of the stream, for comparing. Of an event, what goes into a step is left out: there memory has its say."""
    if kind == "events":
        data = {key: value for key, value in part["data"].items() if key != "input"}
        return plain({**part, "data": data, "parent_ids": len(part["parent_ids"])}, newest=newest)
    return plain(part, newest=newest)


def extras(without: Sequence[Any], with_memory: Sequence[Any]) -> Iterator[Any]:
    """What stands between the parts of the original.

    Raises:
        AssertionError: a part of the original is not there, or not in its order.
    """
    left = iter(with_memory)
    for part in without:
        for one in left:
            if one == part:
                break
            yield one
        else:
            pytest.fail(f"not streamed with memory: {part}")
    yield from left


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", WAYS)
def test_the_original_stream_is_there_in_its_order(name: str, kind: str, is_async: bool) -> None:
    """Every part of it, with the same tokens, node names and tags; what stands between is memory's."""
    way = WAYS[name]
    without, with_memory = (
        [
            shown(part, kind, newest=way.shows_newest(kind))
            for part in streamed(way.build(memory, is_async), kind, is_async=is_async)
        ]
        for memory in (False, True)
    )

    more = list(extras(without, with_memory))

    assert without or kind == "custom"
    if kind == "messages":
        assert not more
    if kind == "updates":
        assert {node for part in more for node in part} <= way.nodes
    if kind == "custom":
        assert all(set(part) == {"graph_memory"} for part in more)
        assert bool(more) == way.has_events
    if kind == "events":
        assert not [
            one for one in more if one["event"] == "'on_chat_model_stream'" and "nostream" not in str(one["tags"])
        ]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("kind", ["messages", "updates", "values", "custom"])
@pytest.mark.parametrize("name", WAYS)
def test_so_it_is_where_subgraphs_are_streamed(name: str, kind: str, is_async: bool) -> None:
    """The place of each part is the same, too."""
    way = WAYS[name]
    without, with_memory = (
        [
            ([_RANDOM.sub("…", step) for step in place], shown(part, kind, newest=way.shows_newest(kind, place)))
            for place, part in streamed(way.build(memory, is_async), kind, is_async=is_async, subgraphs=True)
        ]
        for memory in (False, True)
    )

    more = list(extras(without, with_memory))

    assert not (more and kind == "messages")
    assert not [part for place, part in more if kind == "custom" and set(part) != {"graph_memory"}]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_missing_token_would_be_noticed(is_async: bool) -> None:
    """The comparison can fail."""
    way = WAYS["attach"]
    parts = [
        shown(part, "messages", newest=False)
        for part in streamed(way.build(True, is_async), "messages", is_async=is_async)
    ]

    with pytest.raises(pytest.fail.Exception, match="not streamed"):
        list(extras(parts, [*parts[:2], *parts[3:]]))
    with pytest.raises(pytest.fail.Exception, match="not streamed"):
        list(extras(parts, [parts[1], parts[0], *parts[2:]]))
