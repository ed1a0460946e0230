"""`graph-memory chat`: a conversation that goes on where it was left, with a look into what the graph remembers."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graph_memory.cli.forget import amount, count_of, forget_all, threads_of
from graph_memory.cli.graph import Answer, chat_graph, chat_memories, model_node, reader_node, take_turn
from graph_memory.cli.settings import GONE, Settings
from graph_memory.cli.show import console, explained, memos, quotes
from graph_memory.errors import ConfigurationError, GraphMemoryError
from graph_memory.memories.everywhere import search
from graph_memory.settings import MemorySettings
from graph_memory.types import Scope

if TYPE_CHECKING:
    from graph_memory.opening import Memory

_LISTED = 20
_ALL = 10_000
_HELP = """\
/context         what the assistant was shown for your last message, line by line, and why
/memory          the newest lines that are remembered
/memory WORDS    what is remembered about these words
/forget          delete everything that is remembered of you, after asking
/help            this
/quit            leave; so do Ctrl-D and Ctrl-C"""


def chat(settings: Settings, *, thread: str) -> int:
    """The command: reads lines until the end of input, /quit or Ctrl-C; `GRAPH_MEMORY_*` variables say what it remembers.

    Returns:
        The exit code: 1 when lines from a file or a pipe ended with one that did not work.

    Raises:
        GraphMemoryError: an option is wrong or the memory cannot be used. What goes wrong in a turn ends that turn only.
    """
    model, more = settings.chat_model(), MemorySettings.from_env(os.environ)
    if not more.enabled and model is None:
        raise ConfigurationError(
            "GRAPH_MEMORY_ENABLED is off: without memory there is nothing to quote, so give --model"
        )
    if not settings.is_kept:
        print(f"graph-memory: {settings.url} {GONE}", file=sys.stderr)
    with settings.open(create=True) as memory:
        scope = settings.scope(thread)
        node = reader_node(scope) if model is None else model_node(model)
        attached = chat_memories(more, model)
        builder = chat_graph(node, attached, budget_tokens=settings.budget_tokens, settings=more)
        graph = builder.compile(store=memory.store, checkpointer=memory.checkpointer)
        running = Chat(settings, memory, graph, scope, streams=model is not None)
        console().print(running.greeting())
        worked = True
        for line in _lines():
            if line in ("/quit", "/exit"):
                break
            worked = running.hear(line)
    return 0 if worked or sys.stdin.isatty() else 1


@dataclass(slots=True)
class Chat:
    """A running conversation.

    Attributes:
        settings: as the command was called.
        memory: open for as long as the conversation runs.
        graph: the compiled chat graph.
        scope: whose conversation it is, and in which thread.
        streams: whether answers are written as they come; quotes are shown when all are there.
        last: the last answer, for /context.
    """

    settings: Settings
    memory: Memory
    graph: Any
    scope: Scope
    streams: bool
    last: Answer | None = None

    def greeting(self) -> str:
        """Who answers, where the conversation stands, and how to get help."""
        who = self.settings.model or "the extractive reader (no --model), which quotes and understands nothing"
        config = {"configurable": {"thread_id": self.scope.thread_id}}
        said = len(self.graph.get_state(config).values.get("messages", []))
        where = f"going on after {said:,} messages" if said else "a new conversation"
        return f"{where} with {who}; /help lists commands, /quit leaves"

    def hear(self, line: str) -> bool:
        """Does what a line asks for, and returns whether it worked; what goes wrong is said and ends this line only."""
        command, _, rest = line.partition(" ")
        act = self._commands().get(command)
        try:
            if act is not None:
                act(rest.strip())
            elif command.startswith("/"):
                console().print(f"there is no {command}; /help lists what there is")
            else:
                self._say(line)
        except GraphMemoryError as exc:
            console().print(f"that did not work: {exc}", style="red")
            return False
        return True

    def _say(self, text: str) -> None:
        self.last = take_turn(self.graph, text, self.scope, on_text=_write if self.streams else _keep_silent)
        if self.streams:
            console().print()
        elif self.last.reading is not None and self.last.reading.quotes:
            console().print(quotes(self.last.reading, text))
        else:
            console().print(self.last.text)
        for name, reason in self.last.context.degradations.items():
            console().print(f"({name} gave nothing: {reason})", style="yellow")

    def _commands(self) -> dict[str, Callable[[str], None]]:
        return {
            "/context": self._context,
            "/memory": self._memory,
            "/forget": self._forget,
            "/help": lambda _: console().print(_HELP),
        }

    def _context(self, _: str) -> None:
        if self.last is None:
            console().print("nothing was said yet")
        else:
            console().print(explained(self.last.context))

    def _memory(self, words: str) -> None:
        found = search(self.settings.scope(), words, store=self.memory.store, limit=_LISTED if words else _ALL)
        listed = [one.memo for one in found]
        if not words:
            listed = sorted(listed, key=lambda memo: memo.said_at)[-_LISTED:]
        if not listed:
            console().print("nothing is remembered" + (" about that" if words else ""))
            return
        console().print(memos(listed))
        if not words:
            console().print(f"{len(listed)} of {len(found):,}", style="bright_black")

    def _forget(self, _: str) -> None:
        user = self.settings.user
        what = amount(count_of(self.memory.store, user), len(threads_of(self.memory, user)))
        if _asked(f"Delete {what} of {user} for good? [y/N] ").strip().lower() in ("y", "yes"):
            forget_all(self.memory, user)
            self.last = None
            console().print(f"forgotten: {what}")
        else:
            console().print("nothing was deleted")


def _lines() -> Iterator[str]:
    """What is typed, line by line, until the end of input or Ctrl-C."""
    if sys.stdin.isatty():
        with suppress(ImportError):
            import readline  # noqa: F401 - gives input() a history and editing keys
    with suppress(EOFError, KeyboardInterrupt):
        while True:
            if line := _asked("> ").strip():
                yield line
    console().print()


def _asked(prompt: str) -> str:
    return input(prompt if sys.stdin.isatty() else "")


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _keep_silent(text: str) -> None:
    """Quotes are shown when all of them are there."""
