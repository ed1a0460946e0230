"""Working memory that agents share through the store: one memo per item and per step, so that two writers never meet.

It belongs to the user, whichever agent and thread write it. An item that is noted again is replaced in place; how often it was of
use is counted in an item beside it, so that counting never undoes what another agent writes. What expired or was too much is
deleted along with later writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from langgraph.store.base import Item, PutOp

from graph_memory.errors import StoreError
from graph_memory.memories.key_value.shelf import every_item, shelf_place
from graph_memory.memories.key_value.values import from_fields, shown, to_fields
from graph_memory.memories.records import memo_id, memos_in, stored
from graph_memory.memories.working.items import Bounds, Scratchpad, WorkingItem, WorkingStep, kept
from graph_memory.steps import Steps, StoreOps
from graph_memory.types import Memo, Origin, Scope, utc

ITEM, STEP = "working", "step"
"""Kinds of the memos that hold items and steps."""

_SHOWN_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Board:
    """What a store holds of one namespace: everything, and the part that stays.

    Attributes:
        pad: the part that stays.
        items, steps: everything.
    """

    pad: Scratchpad
    items: tuple[WorkingItem, ...]
    steps: tuple[WorkingStep, ...]


@dataclass(frozen=True, slots=True)
class SharedPlace:
    """One namespace of a shared working memory.

    Attributes:
        where: the store namespace of the memos.
        beside: that of the counts of use.
        memory: name of the memory.
        space: name of the namespace.
    """

    where: tuple[str, ...]
    beside: tuple[str, ...]
    memory: str
    space: str

    @classmethod
    def of(cls, scope: Scope, memory: str, space: str) -> SharedPlace:
        """The place for a scope, whichever agent it names.

        Raises:
            ConfigurationError: the scope names neither a user nor a thread.
        """
        everyone = replace(scope, agent=None)
        return cls(shelf_place(everyone, memory, space), shelf_place(everyone, f"{memory}/uses", space), memory, space)

    def read(self, bounds: Bounds, now: datetime) -> Steps[Board]:
        """What the store holds."""
        found = yield from every_item(self.where)
        counts = yield from every_item(self.beside)
        uses = {item.key: item.value for item in counts}
        items, steps = [], []
        for item, memo in memos_in(found):
            if memo.kind == ITEM and (one := self._item(item, memo, uses.get(item.key, {}))) is not None:
                items.append(one)
            elif memo.kind == STEP and (made := _step(memo)) is not None:
                steps.append(made)
        return Board(kept(items, steps, bounds, now), tuple(items), tuple(steps))

    def puts(
        self,
        board: Board,
        bounds: Bounds,
        now: datetime,
        *,
        items: Sequence[WorkingItem] = (),
        steps: Sequence[WorkingStep] = (),
        used: Sequence[WorkingItem] = (),
        origin: Origin | None = None,
    ) -> list[PutOp]:
        """Operations that set items and steps, count uses, and delete what does not stay after that."""
        changed = {item.key: item for item in (*items, *used)}
        taken = {step.id: step for step in steps}
        all_items = [*(item for item in board.items if item.key not in changed), *changed.values()]
        all_steps = [*(step for step in board.steps if step.id not in taken), *taken.values()]
        stay = kept(all_items, all_steps, bounds, now)
        puts = [self._put_item(item) for item in items if item in stay.items]
        puts += [self._put_uses(item) for item in used if item in stay.items]
        puts += [self._put_step(step, origin) for step in steps if step in stay.steps]
        staying = {self._id(item.key) for item in stay.items} | {self._step_id(step) for step in stay.steps}
        known = [*(self._id(item.key) for item in board.items), *map(self._step_id, board.steps)]
        return [*puts, *(op for key in known if key not in staying for op in self.deletions(key))]

    def deletions(self, memo_key: str) -> list[PutOp]:
        """Operations that delete one memo and its count."""
        return [PutOp(self.where, memo_key, None), PutOp(self.beside, memo_key, None)]

    def delete(self, keys: Iterable[str]) -> Steps[None]:
        """Removes items."""
        yield StoreOps([op for key in dict.fromkeys(keys) for op in self.deletions(self._id(key))])

    def _id(self, key: str) -> str:
        return memo_id("", "", "\x1f".join((self.memory, self.space, key)))

    def _step_id(self, step: WorkingStep) -> str:
        return memo_id("", "", "\x1f".join((self.memory, self.space, STEP, step.id)))

    def _put_item(self, item: WorkingItem) -> PutOp:
        memo = Memo(
            id=self._id(item.key),
            text=f"{item.key}: {shown(item.value, _SHOWN_CHARACTERS)}",
            origin=Origin("", memory=self.memory),
            said_at=item.noted_at,
            kind=ITEM,
            metadata={"key": item.key, "namespace": self.space},
            importance=item.importance,
            valid_to=item.expires_at,
        )
        return self._put(memo, to_fields(item.value, None))

    def _put_step(self, step: WorkingStep, origin: Origin | None) -> PutOp:
        done = " ".join(part for part in (step.thought, step.action) if part)
        memo = Memo(
            id=self._step_id(step),
            text=f"{done} → {step.result or 'failed'}" if step.result or step.failed else done,
            origin=origin or Origin("", memory=self.memory),
            said_at=step.at,
            kind=STEP,
            metadata={
                "namespace": self.space,
                "step": step.id,
                "thought": step.thought,
                "action": step.action,
                "result": step.result,
                "failed": step.failed,
                "links": list(step.links),
                "sources": list(step.sources),
            },
            valid_to=step.expires_at,
        )
        return self._put(memo, {})

    def _put(self, memo: Memo, more: Mapping[str, Any]) -> PutOp:
        ttl = None if memo.valid_to is None else (memo.valid_to - memo.said_at).total_seconds() / 60
        return PutOp(self.where, memo.id, {**stored(memo, ()), **more}, index=False, ttl=ttl)

    def _put_uses(self, item: WorkingItem) -> PutOp:
        value = {
            "uses": item.uses,
            "used_in": item.used_in,
            "used_at": item.used_at.isoformat(),
            "noted_at": item.noted_at.isoformat(),
            "promoted": item.promoted,
        }
        ttl = None if item.expires_at is None else max(timedelta(seconds=1), item.expires_at - item.noted_at)
        minutes = None if ttl is None else ttl.total_seconds() / 60
        return PutOp(self.beside, self._id(item.key), value, index=False, ttl=minutes)

    def _item(self, item: Item, memo: Memo, counted: Mapping[str, Any]) -> WorkingItem | None:
        """The memo as an item; None when it is damaged. Uses of the value before are not its own."""
        try:
            value = from_fields(item.value)
        except StoreError:
            return None
        is_same = counted.get("noted_at") == memo.said_at.isoformat()
        return WorkingItem(
            key=str(memo.metadata.get("key", "")),
            value=value,
            namespace=self.space,
            importance=memo.importance,
            noted_at=memo.said_at,
            expires_at=memo.valid_to,
            used_at=utc(datetime.fromisoformat(counted["used_at"])) if is_same else memo.said_at,
            uses=counted["uses"] if is_same else 0,
            used_in=counted["used_in"] if is_same else "",
            promoted=counted["promoted"] if is_same else False,
        )


def _step(memo: Memo) -> WorkingStep | None:
    """The memo as a step; None when it is damaged."""
    about = memo.metadata
    try:
        return WorkingStep(
            id=about["step"],
            thought=about["thought"],
            action=about["action"],
            result=about["result"],
            failed=about["failed"],
            links=tuple(about["links"]),
            namespace=about["namespace"],
            at=memo.said_at,
            expires_at=memo.valid_to,
            sources=tuple(about["sources"]),
        )
    except (KeyError, TypeError):
        return None
