"""A store and a checkpointer at one place, opened and closed together."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from graph_memory import checkpoints, stores
from graph_memory.checkpoints import open_checkpointer
from graph_memory.sealing import serializer
from graph_memory.stores import open_store
from graph_memory.urls import Opening, check_options, parse

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.store.base import BaseStore

    from graph_memory.stores._embedding import Embedder

__all__ = ["Memory", "open_memory", "options_from_env"]

_VARIABLES = {
    "key": "GRAPH_MEMORY_SUPABASE_KEY",
    "token": "GRAPH_MEMORY_SUPABASE_TOKEN",
    "prefix": "GRAPH_MEMORY_PREFIX",
    "hot": "GRAPH_MEMORY_HOT",
    "queue": "GRAPH_MEMORY_QUEUE",
    "encrypt": "GRAPH_MEMORY_ENCRYPTION_KEYS",
    "clear": "GRAPH_MEMORY_CLEAR",
}
_LISTS = frozenset({"encrypt", "clear"})
_OPTIONS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "store": stores.OPTIONS,
    "checkpointer": checkpoints.OPTIONS,
}


@dataclass(frozen=True, slots=True)
class Memory:
    """What a graph is compiled with: `builder.compile(store=memory.store, checkpointer=memory.checkpointer)`."""

    store: BaseStore
    checkpointer: BaseCheckpointSaver[Any]


def open_memory(url: str, *, embed: Embedder | None = None, create: bool = True, **options: Any) -> Opening[Memory]:
    """The store and the checkpointer that a url names, for a `with` or an `async with` block.

    A SQLite file, a Postgres database, a Redis or a Supabase holds both. In a `with` block the checkpointer serves graphs that
    are invoked, in an `async with` block graphs that are awaited; the store serves both in either.

    Args:
        url: as in `open_store`.
        embed: as in `open_store`.
        create: whether to make a SQLite file that is not there; without, a mistyped url is an error instead of an empty memory.
        options: those of `open_store` and of `open_checkpointer`. `encrypt` encrypts checkpoints too, unless a `serde` is given.
            With `hot` the checkpointer is that of the durable store.

    Raises:
        ConfigurationError: the url, `embed` or an option is wrong.
        MissingExtraError: the packages that this kind of url needs are not installed.
        StoreError: on entering the block, when the file is foreign, damaged or cannot be written, or the server refuses.
    """
    scheme = parse(url).scheme
    for_store, for_checkpointer = stores.OPTIONS[scheme], checkpoints.OPTIONS[scheme]
    check_options(options, for_store | for_checkpointer, "open_memory")
    if options.get("encrypt") is not None and "serde" in for_checkpointer and "serde" not in options:
        options["serde"] = serializer(options["encrypt"])
    return _Memories(
        open_store(url, embed=embed, create=create, **{k: v for k, v in options.items() if k in for_store}),
        open_checkpointer(url, create=create, **{k: v for k, v in options.items() if k in for_checkpointer}),
    )


def options_from_env(
    url: str, environ: Mapping[str, str], *, of: Literal["memory", "store", "checkpointer"] = "memory"
) -> dict[str, Any]:
    """What a url does not say of how it is opened, from variables, as options of `open_memory`.

    Args:
        url: what is to be opened; variables that mean nothing for it are left out.
        environ: such as `os.environ`. A variable that is a list has commas in it; an empty one is not set.
        of: or as options of `open_store` or of `open_checkpointer`, which keys to encrypt with give a `serde`.

    Raises:
        ConfigurationError: the url is wrong.
    """
    scheme = parse(url).scheme
    known = frozenset().union(*(options[scheme] for kind, options in _OPTIONS.items() if of in ("memory", kind)))
    given = {option: environ[name] for option, name in _VARIABLES.items() if environ.get(name)}
    options: dict[str, Any] = {name: _listed(text) if name in _LISTS else text for name, text in given.items()}
    if of == "checkpointer" and "encrypt" in options:
        options["serde"] = serializer(options["encrypt"])
    return {name: value for name, value in options.items() if name in known}


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


class _Memories:
    """Enters the store first: it says best what is wrong with a file."""

    def __init__(self, store: Opening[BaseStore], checkpointer: Opening[BaseCheckpointSaver[Any]]) -> None:
        self._store = store
        self._checkpointer = checkpointer
        self._open = ExitStack()
        self._aopen = AsyncExitStack()

    def __enter__(self) -> Memory:
        with ExitStack() as stack:
            memory = Memory(stack.enter_context(self._store), stack.enter_context(self._checkpointer))
            self._open = stack.pop_all()
        return memory

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    async def __aenter__(self) -> Memory:
        async with AsyncExitStack() as stack:
            memory = Memory(
                await stack.enter_async_context(self._store), await stack.enter_async_context(self._checkpointer)
            )
            self._aopen = stack.pop_all()
        return memory

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._aopen.aclose()
