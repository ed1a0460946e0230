"""Which episodes a question asks for: those of the time that it names, and those that tell of a conversation it asks about.

Most questions are answered by what was said, so they get no episode: a summary would take the room of the lines themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from langgraph.store.base import GetOp, Item, SearchOp

from graph_memory.context.question import Corpus, Question, read_question
from graph_memory.context.ranking import RankingWeights
from graph_memory.context.times import absolute_times, asked_times
from graph_memory.memories.episodes.keeping import KIND, episodes_beside, newest_of_each
from graph_memory.memories.participants import Participants, place
from graph_memory.memories.ranked import corpus_of, note_in, ranked
from graph_memory.memories.records import memos_in
from graph_memory.memories.searching import QUERY_CHARACTERS, Found, carries
from graph_memory.namespaces import namespace
from graph_memory.steps import Steps, StoreOps
from graph_memory.types import Memo, Query, Scope, Snippet

_POOL = 50
_WEIGHTS = RankingWeights(nearby=0.0)
"""What stands near an episode is another one, and says nothing about it."""

_MOST_TIMES = 2
_ABOUT_TALKING = re.compile(
    r"\b(?:talk(?:ed|ing)? (?:about|of|to|with)|talked|discuss(?:ed|ing|ions?)?|chat(?:s|ted|ting)?|conversations?|sessions?"
    r"|sp(?:o|ea)ke?(?:n|ing)? (?:about|of|to|with)|last time|recap|gesprochen|geredet|unterhalten|parlé|discuté|hablamos"
    r"|hablado)\b",
    re.IGNORECASE,
)
_NEWEST = re.compile(
    r"\b(?:last|previous|latest|most recent)\s+(?:time|conversation|session|chat|discussion)\b", re.IGNORECASE
)


def asks_for_episodes(text: str, today: int, year: int) -> bool:
    """Whether a question names a time or asks about a conversation."""
    return bool(_ABOUT_TALKING.search(text) or asked_times(text, today) or absolute_times(text, (year,))[0])


def recalled_episodes(query: Query, memory: str, *, limit: int) -> Steps[list[Found]]:
    """The episodes that the newest human message asks for, best first; mostly none."""
    text, today = query.text[:QUERY_CHARACTERS], query.now.toordinal()
    if not limit or not asks_for_episodes(text, today, query.now.year):
        return []
    return (yield from episodes_for(query.scope, memory, text, today=today, limit=limit, filter=query.filter))


def episodes_for(
    scope: Scope, memory: str, text: str, *, today: int, limit: int, filter: Any = None
) -> Steps[list[Found]]:
    """The episodes of a time that is named or, where none is, those that fit the question; best first."""
    where, (about, key) = episodes_beside(namespace(scope, memory), memory), place(scope, memory)
    [item] = yield StoreOps([GetOp(about, key, refresh_ttl=False)])
    known = Participants.of(item)
    corpus = Corpus(speakers=known.speakers, years=known.years, today=today)
    asked = read_question(text, corpus)
    wants_newest = bool(_NEWEST.search(text))
    results: list[list[Item]] = yield StoreOps(_searches(where, asked, wants_newest=wants_newest))
    items = {item.key: item for found in reversed(results) for item in found}
    items = {key: item for key, item in items.items() if item.namespace == where and carries(item, filter)}
    newest = {memo.id for memo in newest_of_each(memo for _, memo in memos_in(items.values()))}
    noted = [(item, note) for key, item in items.items() if key in newest and (note := note_in(item)) is not None]
    if not noted:
        return []
    corpus = corpus_of(corpus, getattr(results[0], "statistics", None), asked, [note for _, note in noted])
    found = ranked(noted, text, corpus, _WEIGHTS, len(noted))
    if wants_newest:
        found.sort(key=lambda one: one.memo.said_at, reverse=True)
    elif not asked.times:
        found = [one for one in found if one.parts.get("words", 0) > 0 or one.parts.get("meaning", 0) > 0]
    return found[:limit]


def episode_snippet(found: Found, *, at_least: float = 0.0) -> Snippet:
    """An episode as it is shown: how many messages between whom, and the summary."""
    memo = found.memo
    return Snippet(
        text=episode_line(memo),
        score=max(found.score, at_least),
        parts=found.parts,
        memo_id=memo.id,
        said_at=memo.said_at,
        label=f"{memo.said_at:%Y-%m-%d}",
    )


def episode_line(memo: Memo) -> str:
    """ "[session of 12 messages, Ada and Assistant] summary"."""
    told = memo.metadata.get(KIND) or {}
    who = _joined(told.get("participants") or ())
    until = str(told.get("to") or "")[:10]
    lasted = f", until {until}" if until > f"{memo.said_at:%Y-%m-%d}" else ""
    return f"[session of {told.get('messages', 0)} messages{', ' if who else ''}{who}{lasted}] {memo.text}"


def asks_about_talking(text: str) -> bool:
    """Whether a question asks about a conversation itself, which its summary answers best."""
    return bool(_ABOUT_TALKING.search(text))


def with_episodes(turns: Iterable[Snippet], episodes: Sequence[Found], text: str) -> list[Snippet]:
    """The snippets of both; a question about a conversation has the summaries first."""
    turns = list(turns)
    best = max((snippet.score for snippet in turns), default=0.0) if asks_about_talking(text) else 0.0
    return [*(episode_snippet(one, at_least=best) for one in episodes), *turns]


def _searches(where: tuple[str, ...], asked: Question, *, wants_newest: bool) -> list[SearchOp]:
    """By words and meaning; and whatever else there is of a time, or of late, which needs no word in common."""
    spans: list[dict[str, Any] | None] = [
        {"first_day": {"$lte": last}, "last_day": {"$gte": first}} for first, last in asked.times[:_MOST_TIMES]
    ]
    searches = []
    for span in spans or [None]:
        searches.append(SearchOp(where, filter=span, limit=_POOL, query=asked.text, refresh_ttl=False))
        if span or wants_newest:
            searches.append(SearchOp(where, filter=span, limit=_POOL, refresh_ttl=False))
    return searches


def _joined(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else ""
