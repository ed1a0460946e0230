"""`graph-memory history`: the branches of a thread as a tree, with what each remembers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich.text import Text
from rich.tree import Tree

from graph_memory.cli.settings import Settings, thread_id, thread_prefix
from graph_memory.cli.show import console
from graph_memory.errors import ConfigurationError
from graph_memory.graph.history import Line, Moment, is_nobodys, lines_of, read_slots, root_in
from graph_memory.lifecycle.forgetting import user_threads
from graph_memory.messages import speaker_of, text_of
from graph_memory.steps import run
from graph_memory.types import Scope

if TYPE_CHECKING:
    from langgraph.checkpoint.base import CheckpointTuple

    from graph_memory.opening import Memory

_CLIP = 60
_LISTED = 10


def history(settings: Settings, thread: str, *, agent: str | None, messages_key: str, as_json: bool) -> None:
    """The command.

    Raises:
        ConfigurationError: the user has no such thread; whether somebody else has one is not said.
        StoreError: the memory cannot be used.
    """
    with settings.open() as memory:
        name = _own(memory, settings.user, thread)
        checkpoints = _checkpoints(memory, name)
        scope = Scope(user_id=settings.user, thread_id=name, agent=agent)
        root = root_in(checkpoints)
        slots = run(read_slots(scope, root), store=memory.store) if root else {}
    lines = lines_of(checkpoints, slots, messages_key=messages_key)
    if as_json:
        print(json.dumps([_value(line) for line in lines], ensure_ascii=False))  # the console would wrap it
    else:
        console().print(_tree(thread, lines))


def _own(memory: Memory, user: str, thread: str) -> str:
    """The id of the user's thread of that name, as a graph or as `graph-memory chat` would call it.

    Raises:
        ConfigurationError: the user has none; whether somebody else has one is not said.
    """
    if user:
        own = user_threads(memory.store, user, memory.checkpointer)
    else:
        own = [thread] if run(is_nobodys(thread, _checkpoints(memory, thread)), store=memory.store) else []
    names = (name for name in (thread, thread_id(user, thread)) if name in own)
    name = next((name for name in names if _checkpoints(memory, name)), None)
    if name is None:
        theirs = sorted(one.removeprefix(thread_prefix(user)) for one in own)
        known = f"{', '.join(theirs[:_LISTED])}{', …' if theirs[_LISTED:] else ''}" if theirs else "none"
        raise ConfigurationError(
            f"there are no checkpoints of a thread {thread!r} of {user or 'nobody'} here; known of that user: {known}. Give the"
            " thread_id that the graph ran with, and its user by --user ('' where it named none)"
        )
    return name


def _checkpoints(memory: Memory, name: str) -> list[CheckpointTuple]:
    return [found for found in memory.checkpointer.list(_config(name)) if not _ns(found)]


def _tree(thread: str, lines: Iterable[Line]) -> Tree:
    tree = Tree(f"thread {thread}")
    for line in lines:
        _grow(tree, line)
    return tree


def _grow(tree: Tree, line: Line) -> None:
    node = tree
    for moment in line.moments:
        node = tree.add(_shown(moment))
    for number, fork in enumerate(line.forks):
        _grow(node.add(Text(f"line {number + 1} of {len(line.forks)}", "bold")), fork)


def _shown(moment: Moment) -> Text:
    text = Text()
    for message in moment.messages:
        words = " ".join(text_of(message).split())
        clipped = words if len(words) <= _CLIP else f"{words[: _CLIP - 1]}…"
        text.append(f"{speaker_of(message)}: {clipped}\n")
    remembered = ", ".join(f"{memory} {count}" for memory, count in sorted(moment.remembered.items()))
    branches = ", ".join(sorted({head.branch or "main" for head in moment.heads.values()}))
    text.append(f"remembered: {remembered or 'nothing'}", "cyan")
    text.append(f"  on {branches}\n" if branches else "\n", "cyan")
    return text.append(f"checkpoint {moment.checkpoint_id}", "bright_black")


def _value(line: Line) -> dict[str, Any]:
    moments = [
        {
            "checkpoint_id": moment.checkpoint_id,
            "at": moment.at.isoformat(),
            "messages": [{"speaker": speaker_of(m), "text": text_of(m), "id": m.id} for m in moment.messages],
            "branches": {name: [head.branch, head.commit] for name, head in moment.heads.items()},
            "remembered": dict(moment.remembered),
        }
        for moment in line.moments
    ]
    return {"moments": moments, "forks": [_value(fork) for fork in line.forks]}


def _config(thread: str) -> Any:
    return {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}


def _ns(found: Any) -> str:
    return str(found.config["configurable"].get("checkpoint_ns") or "")
