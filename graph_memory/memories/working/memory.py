"""Working memory: what is in hand, as items with an importance and a time to live, and the steps that led here.

It is the thread's own, in the checkpointed state, or with `shared=True` one that the user's agents share through the store. By
itself it records the tool calls of each finished turn as steps, and counts an item as used when the assistant speaks of it. What
proved useful can be promoted to vector memory.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from langgraph.store.base import PutOp

from graph_memory.context.scoring import freshness
from graph_memory.context.words import terms
from graph_memory.errors import ConfigurationError, StoreError
from graph_memory.memories.facts import KIND as FACT
from graph_memory.memories.key_value.values import shown
from graph_memory.memories.records import memo_id, stored
from graph_memory.memories.working.items import (
    Scratchpad,
    WorkingItem,
    WorkingStep,
    item_line,
    kept,
    mentioned,
    step_lines,
)
from graph_memory.memories.working.notes import use_of
from graph_memory.memories.working.sharing import WorkingSharing
from graph_memory.memories.working.state import scratchpad_of, tidied
from graph_memory.memories.working.tool_steps import said_in, steps_of
from graph_memory.namespaces import namespace as place_of
from graph_memory.steps import Steps, StoreOps, arun, run
from graph_memory.types import Memo, Origin, Query, Scope, Section, Snippet, Turn

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

logger = logging.getLogger("graph_memory")

_IMPORTANCE, _WORDS, _FRESHNESS = 0.5, 0.3, 0.2
_HALF_LIFE_HOURS = 0.25
_FACT_CHARACTERS = 2000


@dataclass(frozen=True, kw_only=True)
class WorkingMemory(WorkingSharing):
    """A scratchpad and a reasoning chain; further attributes are those of `WorkingNotes`.

    Attributes:
        shows: namespaces that the context shows; None shows `namespace`.
        shown_steps: how many of the chain's last steps are offered to the context.
        reasoning_chain: whether the tool calls of finished turns are recorded as steps of `namespace`.
        promote_to: name of the vector memory that is given what proved useful, at the end of a turn; None promotes by hand only.
        promote_importance: items of this importance prove useful, 0–1.
        promote_uses: items that were of use so often do.
    """

    kind: ClassVar[str] = "working"
    heading: ClassVar[str] = "Work in progress:"

    name: str = "working"
    shows: tuple[str, ...] | None = None
    shown_steps: int = 10
    reasoning_chain: bool = True
    promote_to: str | None = None
    promote_importance: float = 0.8
    promote_uses: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.placement == "history":
            raise ConfigurationError(f"memory {self.name!r} cannot be placed as history: choose 'tail' or 'system'")
        if isinstance(self.shows, str):
            raise ConfigurationError(f"memory {self.name!r} has shows={self.shows!r}: give a tuple of namespaces")
        if self.shown_steps < 0 or self.promote_uses < 1 or not 0 <= self.promote_importance <= 1:
            raise ConfigurationError(
                f"memory {self.name!r} needs shown_steps of 0 or more, promote_uses of 1 or more and promote_importance in 0–1"
            )

    def recall(self, query: Query) -> Steps[Section]:
        """Items, the important and fresh and those that the question speaks of first, and the last steps of the chain."""
        names = (self.namespace,) if self.shows is None else tuple(dict.fromkeys(self.shows))
        if self.shared:
            pads = []
            for name in names:
                pads.append((yield from self._place(query.scope, name).read(self._bounds, query.now)).pad)
        else:
            whole = scratchpad_of(query.state, self._bounds, query.now)
            pads = [whole.of([name]) for name in names]
        return self.section(snippet for pad in pads for snippet in self._snippets(pad, query))

    def remember(self, turn: Turn) -> Steps[Mapping[str, Any] | None]:
        """Records the turn's tool calls as steps, counts which items were of use, and promotes what proved useful."""
        if self.shared:
            yield from self._remember_shared(turn)
            return None
        before = scratchpad_of(turn.state, self._bounds, turn.now)
        items, steps = self._learnt(before, turn)
        useful = self._useful(items)
        if useful and (yield from self._promoted(turn, useful)):
            items = [replace(item, promoted=True) if item in useful else item for item in items]
        pad = kept(items, [*before.steps, *steps], self._bounds, turn.now)
        return tidied(turn.state, pad, turn.now)

    def promote(
        self,
        scope: Scope,
        *,
        store: BaseStore,
        to: str = "vector",
        state: Any = None,
        node: str = "",
        agent: str | None = None,
        namespace: str | None = None,
        keys: Iterable[str] | None = None,
    ) -> Sequence[str]:
        """Gives items to a vector memory, which from then on recalls them as facts; doing it again changes nothing.

        Args:
            scope: whose memory.
            store: where vector memory keeps its memos.
            to: name of the vector memory.
            state, node, agent: as in `pad`; not needed when the memory is shared.
            namespace: whose items; None takes the memory's own.
            keys: which items; None takes those that proved useful by `promote_importance` and `promote_uses`.

        Returns:
            The keys that were promoted.

        Raises:
            StoreError: the store failed.
        """
        return run(self._promoting(scope, to, state, node, agent, namespace, keys), store=store)

    async def apromote(
        self,
        scope: Scope,
        *,
        store: BaseStore,
        to: str = "vector",
        state: Any = None,
        node: str = "",
        agent: str | None = None,
        namespace: str | None = None,
        keys: Iterable[str] | None = None,
    ) -> Sequence[str]:
        """`promote`, awaiting the store."""
        return await arun(self._promoting(scope, to, state, node, agent, namespace, keys), store=store)

    def _promoting(
        self,
        scope: Scope,
        to: str,
        state: Any,
        node: str,
        agent: str | None,
        space: str | None,
        keys: Iterable[str] | None,
    ) -> Steps[Sequence[str]]:
        if self.shared:
            pad = yield from self.reading(scope, space)
        else:
            pad = self.pad(state, node=node, agent=agent).of([self._space(space)])
        wanted = None if keys is None else set(keys)
        chosen = [i for i in pad.items if (self._is_useful(i) if wanted is None else i.key in wanted)]
        origin = Origin("", memory=self.name)
        yield StoreOps([self._fact(scope, to, item, origin) for item in chosen])
        return [item.key for item in chosen]

    def _remember_shared(self, turn: Turn) -> Steps[None]:
        place = self._place(turn.scope, None)
        board = yield from place.read(self._bounds, turn.now)
        items, steps = self._learnt(board.pad, turn)
        useful = self._useful(items)
        if useful and (yield from self._promoted(turn, useful)):
            items = [replace(item, promoted=True) if item in useful else item for item in items]
        used = [item for item in items if item not in board.pad.items]
        puts = place.puts(board, self._bounds, turn.now, steps=steps, used=used, origin=self._origin(turn))
        yield StoreOps(puts)

    def _learnt(self, before: Scratchpad, turn: Turn) -> tuple[list[WorkingItem], list[WorkingStep]]:
        """The items with this turn's uses, and the steps that are new."""
        touched = mentioned(before.items, said_in(turn.messages[turn.told :]))
        items = [use_of(item, turn.now, _turn_id(turn)) if item in touched else item for item in before.items]
        if not self.reasoning_chain:
            return items, []
        chain = before.of([self.namespace]).steps
        steps = steps_of(
            turn,
            memory=self.name,
            namespace=self.namespace,
            ttl_seconds=self.ttl_seconds,
            characters=self.shown_characters,
            after=max((step.at for step in chain), default=None),
        )
        known = {step.id for step in chain}
        return items, [step for step in steps if step.id not in known]

    def _is_useful(self, item: WorkingItem) -> bool:
        return item.importance >= self.promote_importance or item.uses >= self.promote_uses

    def _useful(self, items: Iterable[WorkingItem]) -> list[WorkingItem]:
        """What is to be promoted now."""
        return [] if self.promote_to is None else [i for i in items if self._is_useful(i) and not i.promoted]

    def _promoted(self, turn: Turn, items: Sequence[WorkingItem]) -> Steps[bool]:
        """Whether they are in long-term memory; a store that fails is tried again a turn later."""
        origin, to = self._origin(turn), self.promote_to or ""
        try:
            yield StoreOps([self._fact(turn.scope, to, item, origin, turn.stem) for item in items])
        except StoreError as exc:
            logger.warning("memory %r could not promote %d items: %s", self.name, len(items), exc)
            return False
        return True

    def _origin(self, turn: Turn) -> Origin:
        return Origin(turn.root, turn_id=_turn_id(turn), memory=self.name)

    def _fact(self, scope: Scope, to: str, item: WorkingItem, origin: Origin, stem: str = "") -> PutOp:
        """The operation that keeps an item as a fact: a turn's under an id of its turn, another's in place of the last."""
        memo = Memo(
            id=memo_id(stem, origin.turn_id, "\x1f".join((self.name, item.namespace, item.key))),
            text=f"{item.key}: {shown(item.value, _FACT_CHARACTERS)}",
            origin=origin,
            said_at=item.noted_at,
            kind=FACT,
            session=scope.thread_id or "",
            metadata={"key": item.key, "namespace": item.namespace},
            importance=item.importance,
            access_count=item.uses,
            last_accessed_at=item.used_at if item.uses else None,
        )
        return PutOp(place_of(scope, to), memo.id, stored(memo, ()), index=["search"])

    def _snippets(self, pad: Scratchpad, query: Query) -> Iterable[Snippet]:
        asked = set(terms(query.text)) if query.text.strip() else set()
        for item in pad.items:
            line = item_line(item, self.namespace, self.shown_characters)
            parts = {
                "importance": item.importance,
                "words": _shared(line, asked),
                "freshness": _freshness(item.used_at, query.now),
            }
            score = parts["importance"] * _IMPORTANCE + parts["words"] * _WORDS + parts["freshness"] * _FRESHNESS
            yield Snippet(line, score=score, parts=parts, memo_id=item.key, said_at=item.noted_at)
        lines = step_lines(pad.steps)
        first = max(0, len(lines) - self.shown_steps)
        for place in range(first, len(lines)):
            step, recency = pad.steps[place], (place + 1) / len(lines)
            yield Snippet(
                lines[place],
                score=recency,
                parts={"recency": recency},
                memo_id=step.id,
                source_ids=step.sources,
                said_at=step.at,
            )


def _shared(line: str, asked: set[str]) -> float:
    """The share of the question's terms that a line holds."""
    return len(asked.intersection(terms(line))) / len(asked) if asked else 0.0


def _freshness(moment: datetime, now: datetime) -> float:
    return freshness((now - moment).total_seconds() / 3600, _HALF_LIFE_HOURS)


def _turn_id(turn: Turn) -> str:
    return turn.turn_id or next((m.id or "" for m in reversed(turn.messages) if m.type == "human"), "")
