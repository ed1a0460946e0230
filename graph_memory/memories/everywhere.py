"""The search over everything that is remembered in a scope, whichever memory keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from langgraph.store.base import Item, SearchOp

from graph_memory.context.links import Marks, links_between, marked, name_marks, turn_marks
from graph_memory.context.notes import Note
from graph_memory.context.question import Corpus, read_question
from graph_memory.context.ranking import RankingWeights
from graph_memory.errors import ConfigurationError
from graph_memory.memories.facts import ended_in
from graph_memory.memories.key_value.replaced import is_on_a_shelf, without_replaced
from graph_memory.memories.ranked import corpus_of, note_in, ranked
from graph_memory.memories.records import memos_in
from graph_memory.memories.searching import QUERY_CHARACTERS, Found, carries
from graph_memory.memories.short_term import short_term
from graph_memory.namespaces import namespace
from graph_memory.steps import Steps, StoreOps, arun, run
from graph_memory.types import Memo, Scope

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from langgraph.store.base import BaseStore

_POOL = 100
_ENTITIES = ("entity", "value_id", "by")
"""Keys of a memo's metadata under which entity memory names whom it is about."""


def search(
    scope: Scope,
    query: str,
    *,
    store: BaseStore,
    kinds: Iterable[str] | None = None,
    filter: Mapping[str, Any] | None = None,
    limit: int = 10,
    messages: Sequence[BaseMessage] = (),
) -> list[Found]:
    """Looks through everything that is remembered in a scope, whichever memory keeps it.

    Where the scope names a thread, its archived turns are looked through too. Values that were replaced or deleted, or have
    expired, are not found. What shares an entity, a name, a message or a turn with something else that was found says so in its
    `links`.

    Args:
        scope: whose memory.
        query: what to look for; the empty string lists.
        store: where the memos are.
        kinds: kinds of memo, such as "message" or "fact"; None takes all.
        filter: metadata that a memo must carry.
        limit: how many at most.
        messages: messages of the thread that may not be stored yet, such as the state's.

    Raises:
        ConfigurationError: the scope names neither a user nor a thread, or an argument is of another kind.
        StoreError: the store failed.
    """
    return run(_looking(scope, query, limit=limit, filter=filter, kinds=kinds, messages=messages), store=store)


async def asearch(
    scope: Scope,
    query: str,
    *,
    store: BaseStore,
    kinds: Iterable[str] | None = None,
    filter: Mapping[str, Any] | None = None,
    limit: int = 10,
    messages: Sequence[BaseMessage] = (),
) -> list[Found]:
    """`search`, awaiting the store."""
    return await arun(_looking(scope, query, limit=limit, filter=filter, kinds=kinds, messages=messages), store=store)


def _looking(
    scope: Scope,
    text: str,
    *,
    limit: int,
    filter: Mapping[str, Any] | None,
    kinds: Iterable[str] | None,
    messages: Sequence[BaseMessage],
) -> Steps[list[Found]]:
    if not isinstance(text, str):
        raise ConfigurationError(f"query must be a text, not a {type(text).__name__}: '' lists everything")
    if not isinstance(limit, int):
        raise ConfigurationError(f"limit must be a whole number, not {limit!r}")
    prefix, wanted, now = namespace(scope, "any")[:3], None if kinds is None else set(kinds), datetime.now(UTC)
    thread: list[Item] = []
    if wanted is None or "message" in wanted:
        thread = yield from short_term(scope, messages, now)
    if not text.strip():
        found = yield from _listing(scope, prefix, limit, filter, wanted, now)
        return with_links([*found, *_listed(thread, {one.memo.source for one in found}, filter)][:limit])
    text = text[:QUERY_CHARACTERS]
    condition = {"metadata": dict(filter)} if filter else None
    search = SearchOp(prefix, filter=condition, limit=max(limit, _POOL), query=text, refresh_ttl=False)
    [items] = yield StoreOps([search])
    inside = [item for item in items if item.namespace[: len(prefix)] == prefix]
    known = {item.value.get("source") for item in inside}
    inside += [item for item in thread if item.value["source"] not in known]
    noted = [(item, note) for item in inside if carries(item, filter) and (note := note_in(item)) is not None]
    noted = [(item, note) for item, note in noted if wanted is None or item.value.get("kind") in wanted]
    noted = yield from _holding(scope, noted, now)
    if not noted:
        return []
    notes = [note for _, note in noted]
    corpus = Corpus(years=tuple(sorted({date.fromordinal(note.day).year for note in notes})), today=now.toordinal())
    corpus = corpus_of(corpus, getattr(items, "statistics", None), read_question(text, corpus), notes)
    return with_links(ranked(noted, text, corpus, RankingWeights(), limit))


def _listing(
    scope: Scope,
    prefix: tuple[str, ...],
    limit: int,
    filter: Mapping[str, Any] | None,
    wanted: set[str] | None,
    now: datetime,
) -> Steps[list[Found]]:
    """The first `limit` memos that the store lists; what is no memo lies between them, so it is asked page by page."""
    found, offset, page = list[Found](), 0, max(limit, _POOL)
    while len(found) < limit:
        [items] = yield StoreOps([SearchOp(prefix, limit=page, offset=offset, refresh_ttl=False)])
        known = {one.memo.id for one in found}  # pages overlap where something was hidden
        listed = [
            Found(memo, 0.0, {})
            for item, memo in memos_in(items)
            if item.namespace[: len(prefix)] == prefix
            and memo.id not in known
            and carries(item, filter)
            and (wanted is None or memo.kind in wanted)
        ]
        ended = {key for _, key in (yield from ended_in(items))}
        listed = [one for one in listed if one.memo.id not in ended]
        found += yield from without_replaced(scope, listed, now)
        offset += page
        if len(items) < page:
            break
    return found[:limit]


def _holding(scope: Scope, noted: list[tuple[Item, Note]], now: datetime) -> Steps[list[tuple[Item, Note]]]:
    """Without values that hold no longer and facts that are over: before the ranking, so that they take nobody's place."""
    values = memos_in(item for item, _ in noted if is_on_a_shelf(item))
    holding = yield from without_replaced(scope, [Found(memo, 0.0, {}) for _, memo in values], now)
    gone = {memo.id for _, memo in values} - {one.memo.id for one in holding}
    ended = yield from ended_in(item for item, _ in noted)
    return [
        (item, note)
        for item, note in noted
        if (item.key not in gone or not is_on_a_shelf(item)) and (item.namespace, item.key) not in ended
    ]


def _listed(items: Iterable[Item], known: set[str], filter: Mapping[str, Any] | None) -> list[Found]:
    memos = [memo for item, memo in memos_in(items) if carries(item, filter)]
    return [Found(memo, 0.0, {}) for memo in reversed(memos) if memo.source not in known]


def with_links(found: Sequence[Found]) -> list[Found]:
    """Each with the ids of the others that share an entity, a name, a message or a turn with it."""
    speakers = {one.memo.speaker for one in found}
    links = links_between({one.memo.id: _marks(one.memo, speakers) for one in found})
    return [replace(one, links=links.get(one.memo.id, ())) for one in found]


def _marks(memo: Memo, speakers: Iterable[str]) -> Marks:
    entities = (str(memo.metadata.get(key) or "") for key in _ENTITIES)
    return (
        turn_marks(memo.origin)
        | marked("message", [memo.source])
        | marked("entity", entities)
        | name_marks([memo.text], without=speakers)
    )
