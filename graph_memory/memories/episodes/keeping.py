"""Episodes: a finished session as one memo with its summary, span and participants, recalled by time and by meaning.

They are a part of vector memory, beside its memos in a namespace of their own, so that no search for what was said meets them.
An episode's id depends on the session's first and last message: a node that runs again writes it once, and a session that went
on after it was finished by hand gets another, which then stands for both. The span stands in the metadata, because it says when
something was said, not how long it holds.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langgraph.store.base import GetOp, Item, PutOp

from graph_memory.errors import ConfigurationError, ModelError
from graph_memory.extract.extractive import shortened, summarised
from graph_memory.memories.episodes.sessions import (
    Session,
    session_ends,
    session_of,
    sessions_by_line,
    sessions_in,
    values_of,
)
from graph_memory.memories.listing import listed
from graph_memory.memories.records import line_of, memo_id, memos_in, stored
from graph_memory.messages import SAID_AT
from graph_memory.models import ChatModel, answer_text, checked_model
from graph_memory.namespaces import label
from graph_memory.prompts import DATA_RULE, EPISODE_PROMPT, tagged
from graph_memory.steps import Generate, Steps, StoreOps
from graph_memory.types import Memo, Origin, TokenCounter, Turn

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

logger = logging.getLogger("graph_memory")

KIND = "episode"
"""The kind of these memos, and the key of their metadata that holds span, participants and number of messages."""

_READ_TOKENS = 12_000
"""What a model is given of a session at most; a longer one is condensed without a model first."""
_LONGEST_DAYS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Episodes:
    """How finished sessions are kept and recalled.

    Attributes:
        idle_seconds: the pause after which a session is over; another `session` label ends one too.
        model: writes the summaries; without one, or when it fails, the sentences that say most are taken.
        max_tokens: how long a summary may be, whoever writes it.
        limit: how many episodes a recall offers at most; 0 keeps them for searching only.
        prompt: what the model is told.

    Raises:
        ConfigurationError: a number is out of range, or the model is none.
    """

    idle_seconds: float = 1800.0
    model: ChatModel | None = None
    max_tokens: int = 120
    limit: int = 2
    prompt: str = EPISODE_PROMPT

    def __post_init__(self) -> None:
        if not self.idle_seconds > 0:
            raise ConfigurationError(f"episodes have idle_seconds={self.idle_seconds}: give seconds above 0")
        if self.max_tokens < 1 or self.limit < 0:
            raise ConfigurationError(
                f"episodes have max_tokens={self.max_tokens} and limit={self.limit}: give 1 or more and 0 or more"
            )
        checked_model(self.model, "episodes")


def episodes_beside(where: tuple[str, ...], memory: str) -> tuple[str, ...]:
    """The namespace of a memory's episodes, beside its own."""
    return (*where[:-1], label("memory", f"{memory}/episodes"))


def episode_id(session: Session, memory: str) -> str:
    """The id of a session's episode."""
    return memo_id(session.first.id, session.last.id, f"{memory}/episodes")


def newest_of_each(episodes: Iterable[Memo]) -> list[Memo]:
    """The episodes without those of a session that has another with more messages."""
    best: dict[tuple[str, str, str], Memo] = {}
    for memo in episodes:
        told = memo.metadata.get(KIND) or {}
        place = (memo.origin.root, memo.session, str(told.get("from")))
        if place not in best or _messages(best[place]) < _messages(memo):
            best[place] = memo
    return list(best.values())


@dataclass(frozen=True, slots=True)
class Keeper:
    """Writes the episodes of one vector memory in one scope.

    Attributes:
        where: the memory's own namespace.
        memory: the memory's name.
        options: how episodes are kept.
        counter: how tokens are counted.
        ttl_minutes: how long the store keeps one; None keeps it.
    """

    where: tuple[str, ...]
    memory: str
    options: Episodes
    counter: TokenCounter
    ttl_minutes: float | None = None

    @property
    def place(self) -> tuple[str, ...]:
        """The namespace of the episodes."""
        return episodes_beside(self.where, self.memory)

    def after(self, turn: Turn, before: Item | None, memos: Sequence[Memo]) -> Steps[list[Memo]]:
        """Keeps the sessions that ended before or within a turn whose memos were just written."""
        earlier = [memo for _, memo in memos_in([before] if before is not None and turn.previous is not None else [])]
        found = []
        for end in session_ends([*earlier, *memos], self.options.idle_seconds):
            session = yield from self._session_until(end)
            if session is not None:
                found.append(session)
        return (yield from self.keep(found, root=turn.root))

    def finish(self, label: str) -> Steps[list[Memo]]:
        """Keeps every session of a label, the last one included."""
        items = yield from listed(self.where, {"session": label})
        return (yield from self.keep(sessions_by_line(self._memos(items), self.options.idle_seconds)))

    def keep(self, sessions: Sequence[Session], *, root: str | None = None) -> Steps[list[Memo]]:
        """Writes the episodes of these sessions that are not there yet; returns those.

        Args:
            sessions: in any order.
            root: the root of the turn that they are written in; without one they belong where their last message does.
        """
        made = []
        for session in (yield from self.missing(sessions)):
            memo = self._episode(session, (yield from self._summary(session)), root)
            yield StoreOps([self._put(memo, session)])
            made.append(memo)
        return made

    def missing(self, sessions: Sequence[Session]) -> Steps[list[Session]]:
        """The sessions whose episode is not there."""
        if not sessions:
            return []
        gets = [GetOp(self.place, episode_id(session, self.memory), refresh_ttl=False) for session in sessions]
        items: list[Item | None] = yield StoreOps(gets)
        return [session for session, item in zip(sessions, items, strict=True) if item is None]

    def _session_until(self, end: Memo) -> Steps[Session | None]:
        """The session that a memo ended, read back as many days as it lasted."""
        days = 1
        while True:
            around = {"session": end.session, "day": {"$gte": end.day - days, "$lte": end.day}}
            memos = self._memos((yield from listed(self.where, around)))
            session = session_of(end, sessions_in(memos, self.options.idle_seconds))
            if session is None or session.first.day > end.day - days or days > _LONGEST_DAYS:
                return session
            days *= 8

    def _memos(self, items: Iterable[Item]) -> list[Memo]:
        return [memo for item, memo in memos_in(items) if item.namespace == self.where and memo.kind == "message"]

    def _summary(self, session: Session) -> Steps[str]:
        most = self.options.max_tokens
        if self.options.model is not None:
            try:
                answer = yield Generate(self.options.model, self._asked(session))
                return shortened(answer_text(answer), max_tokens=most, count=self.counter.count_text)
            except ModelError as exc:
                logger.warning("memory %r: an episode is summarised without its model: %s", self.memory, exc)
        return self._extracted(session, most)

    def _extracted(self, session: Session, max_tokens: int) -> str:
        is_dated = session.first.day != session.last.day  # one day stands above the episode already
        said = [_said(memo, is_dated=is_dated) for memo in session.memos]
        return summarised("", said, max_tokens=max_tokens, count=self.counter.count_text)

    def _asked(self, session: Session) -> list[BaseMessage]:
        lines = [line_of(memo) for memo in session.memos]
        if sum(map(self.counter.count_text, lines)) > _READ_TOKENS:
            lines = self._extracted(session, _READ_TOKENS).splitlines()
        words = max(1, self.options.max_tokens * 2 // 3)
        told = f"{self.options.prompt} Use at most {words} words. {DATA_RULE}"
        return [SystemMessage(told), HumanMessage(tagged("conversation", lines))]

    def _episode(self, session: Session, summary: str, root: str | None) -> Memo:
        first, last = session.first, session.last
        here = replace(last.origin, turn_id="", memory=self.memory, ordinal=0)
        return Memo(
            id=episode_id(session, self.memory),
            text=" ".join(summary.split()),
            origin=here if root is None else Origin(root=root, seq=here.seq, memory=self.memory),
            said_at=first.said_at,
            kind=KIND,
            session=first.session,
            metadata={**session.metadata, KIND: dict(values_of(session))},
            importance=max(memo.importance for memo in session.memos),
        )

    def _put(self, memo: Memo, session: Session) -> PutOp:
        days = {"first_day": session.first.day, "last_day": session.last.day}
        value = {**stored(memo, session.participants), **days}
        return PutOp(self.place, memo.id, value, index=["search"], ttl=self.ttl_minutes)


def _said(memo: Memo, *, is_dated: bool) -> BaseMessage:
    made = AIMessage if memo.role == "ai" else HumanMessage
    extra = {SAID_AT: memo.said_at.isoformat()} if is_dated else {}
    return made(memo.text, name=memo.speaker or None, additional_kwargs=extra)


def _messages(episode: Memo) -> int:
    return int((episode.metadata.get(KIND) or {}).get("messages", 0))
