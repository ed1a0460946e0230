"""What an agent's memory tools do: each a generator over the store, and what it tells the model.

Arguments come from a model, so nothing in them decides whose memory is meant: that is the call's scope. Texts are cleaned to one
line each, so that what was saved cannot pass for another line when it is listed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from langchain_core.messages import HumanMessage

from graph_memory.context.tokens import token_counter
from graph_memory.context.words import terms
from graph_memory.errors import ConfigurationError
from graph_memory.memories.entity import EntityMemory
from graph_memory.memories.facts import KIND, Facts
from graph_memory.memories.key_value.memory import KeyValueMemory
from graph_memory.memories.key_value.shelf import TICK, Version, holding
from graph_memory.memories.key_value.values import clipped
from graph_memory.memories.records import is_valid_at, line_of
from graph_memory.memories.vector import VectorMemory
from graph_memory.memories.working.memory import WorkingMemory
from graph_memory.steps import Steps, StoreOps
from graph_memory.types import Memo, Origin, Query, Scope

LONGEST_TEXT = 2000
"""Characters that one memory or note may have."""

LONGEST_KEY = 100
"""Characters that the name of a preference or a note may have."""

MOST_LINES = 20
"""Lines that a tool answers with at most."""

_SHOWN_CHARACTERS = 300
_RANKED = 40
"""How many memos a search looks at."""

_ENTITIES = 5
_ID = re.compile(r"\[?([a-z0-9]{1,64})\]?")
_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that turn the direction of text, by which a line can be made to look like another."""


class RefusedError(Exception):
    """What a tool cannot do, as a sentence for the model."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool.

    Attributes:
        scope: whose memory.
        now: when.
        stem: what the ids of its records are made of; the same when it is tried again.
        origin: what new records name as theirs; without a root they belong to no thread's lineage.
        state: the graph's, for what is kept in its `memory` channel; None outside of graphs.
        node, agent: whose part of the channel that is.
    """

    scope: Scope
    now: datetime
    stem: str
    origin: Origin = field(default_factory=lambda: Origin(""))
    state: Any = None
    node: str = ""
    agent: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model is told, and the update of the graph's state that goes with it."""

    text: str
    update: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Saved:
    """Where saved memories are: facts in a vector memory, preferences in a key-value memory, or one of the two."""

    facts: VectorMemory | None
    values: KeyValueMemory | None

    def search(self, call: Call, query: str, limit: int = 5) -> Steps[Answer]:
        """The preferences that share a word with the query, what was saved, and what was said, each best first.

        What was saved has up to half of the lines for itself: talk about a fact shares more words with a question than the fact.
        """
        text, most = _cleaned(query), min(max(1, limit), MOST_LINES)
        if self.facts is None or not text:
            raise RefusedError("the query is empty: say what to look for")
        asked = set(terms(text))
        values = [memo for memo in (yield from self._values(call)) if asked.intersection(terms(memo.text))]
        found = yield from self.facts.searching(call.scope, text, self.facts.filter, _RANKED, call.now.toordinal())
        memos = [one.memo for one in found if is_valid_at(one.memo, call.now)]
        saved = [*values, *(memo for memo in memos if memo.kind == KIND)][: (most + 1) // 2]
        rest = [memo for memo in [*memos, *values] if memo not in saved]
        return Answer("\n".join(map(_line, [*saved, *rest][:most])) or "nothing was found")

    def save(self, call: Call, text: str, key: str = "") -> Steps[Answer]:
        """A fact, or with a key a preference."""
        said = _text(text)
        if self.values is not None and (key or self.facts is None):
            return (yield from self._set(call, self.values, _key(key), said))
        memo = yield from self._facts(call).save(said, call.stem, call.origin, call.now)
        return Answer(f"saved as [{memo.id}]")

    def update(self, call: Call, id: str, text: str) -> Steps[Answer]:
        """Another text for a fact."""
        said, facts = _text(text), self._facts(call)
        memo = yield from self._found(call, id)
        if memo is None:
            raise RefusedError(_NOT_SAVED)
        made = yield from facts.replace(memo, said, call.stem, call.origin, call.now)
        return Answer(f"updated, now [{made.id}]")

    def forget(self, call: Call, id: str) -> Steps[Answer]:
        """A fact by its id, or a preference by its key."""
        if (memo := (yield from self._found(call, id))) is not None:
            yield from self._facts(call).forget(memo, call.stem, call.origin, call.now)
        elif self.values is None or not (yield from self._unset(call, self.values, _cleaned(id))):
            raise RefusedError(_NOT_SAVED)
        return Answer("forgotten")

    def every(self, call: Call, page: int = 1) -> Steps[Answer]:
        """Preferences, then facts, the newest first."""
        memos = list(reversed((yield from self._values(call))))
        if self.facts is not None:
            facts = yield from self._facts(call).every()
            memos += [memo for memo in facts if is_valid_at(memo, call.now)]
        return Answer(_paged([_line(memo) for memo in memos], page) or "nothing is saved yet")

    def _facts(self, call: Call) -> Facts:
        assert self.facts is not None
        return Facts(call.scope, self.facts.name, self.facts.tier, self.facts.filter, self.facts.ttl_minutes)

    def _found(self, call: Call, id: str) -> Steps[Memo | None]:
        """The fact of an id in the call's own scope: another's has another namespace."""
        named = _ID.fullmatch(id.strip())
        if self.facts is None or named is None:
            return None
        return (yield from self._facts(call).current(named[1]))

    def _values(self, call: Call) -> Steps[list[Memo]]:
        if self.values is None:
            return []
        return holding((yield from self.values.shelf(call.scope).newest()), call.now)

    def _set(self, call: Call, memory: KeyValueMemory, key: str, text: str) -> Steps[Answer]:
        shelf = memory.shelf(call.scope)
        known = yield from shelf.versions_of(key)
        if not (known and known[0].holds_at(call.now) and known[0].value == text):
            if call.origin.root:
                origin, moment = _of(call, memory.name), _after(known, call.now)
                puts = shelf.puts(key, text, origin, moment, ttl_seconds=memory.ttl_seconds, stem=call.stem)
                yield StoreOps(puts)
            else:
                yield from shelf.set(key, text, call.now, memory.ttl_seconds, {})
        return Answer(f"saved as {key}")

    def _unset(self, call: Call, memory: KeyValueMemory, key: str) -> Steps[bool]:
        """Deletes a preference; whether there was one."""
        if not key or len(key) > LONGEST_KEY:
            return False
        shelf = memory.shelf(call.scope)
        known = yield from shelf.versions_of(key)
        if not known or not known[0].holds_at(call.now):
            return False
        if call.origin.root:
            origin, moment = _of(call, memory.name), _after(known, call.now)
            yield StoreOps([shelf.tombstone(key, origin, moment, stem=call.stem)])
        else:
            yield from shelf.delete(key, call.now)
        return True


def look_up(memory: EntityMemory, call: Call, name: str) -> Steps[Answer]:
    """What is known of an entity, and of those one step away."""
    text = _cleaned(name)
    if not text:
        raise RefusedError("the name is empty: say who or what is meant")
    query = Query(call.scope, text, (HumanMessage(text),), "", 0, token_counter(), call.now)
    section = yield from memory.recall(query)
    lines = [clipped(_cleaned(one.text), _SHOWN_CHARACTERS) for one in section.snippets[:_ENTITIES]]
    return Answer("\n".join(lines) or "nothing is known under that name")


def note(memory: WorkingMemory, call: Call, key: str, text: str) -> Steps[Answer]:
    """Keeps a note, or removes it when there is no text."""
    named, said = _key(key), _cleaned(text)
    if len(said) > LONGEST_TEXT:
        raise RefusedError(_too_long(said))
    told = Answer(f"noted as {named}" if said else f"removed {named}")
    if memory.shared:
        yield from memory.noting(call.scope, named, said) if said else memory.dropping(call.scope, [named])
        return told
    here = {"node": call.node, "agent": call.agent, "state": _state(memory, call)}
    update = memory.noted(named, said, **here) if said else memory.dropped([named], **here)
    return Answer(told.text, update)


def read_notes(memory: WorkingMemory, call: Call, page: int = 1) -> Steps[Answer]:
    """The notes, the newest first."""
    if memory.shared:
        pad = yield from memory.reading(call.scope)
    else:
        pad = memory.pad(_state(memory, call), node=call.node, agent=call.agent).of([memory.namespace])
    shown = [f"{_cleaned(item.key)}: {clipped(_cleaned(str(item.value)), LONGEST_TEXT)}" for item in pad.items]
    return Answer(_paged(shown[::-1], page) or "there are no notes")


def _state(memory: WorkingMemory, call: Call) -> Any:
    """The state whose `memory` channel has the notes.

    Raises:
        ConfigurationError: it has no such channel.
    """
    if call.state is None:
        raise ConfigurationError(
            f"the notes of memory {memory.name!r} are in the thread's `memory` channel, which this graph's state does not have:"
            " use MemoryState or MemoryMiddleware, or make it WorkingMemory(shared=True)"
        )
    return call.state


_NOT_SAVED = "nothing is saved under that id: only what list or search shows in brackets can be changed"


def _paged(lines: Sequence[str], page: int) -> str:
    """One page of the lines, and which of how many it is."""
    pages = max(1, -(-len(lines) // MOST_LINES))
    at = min(max(1, page), pages)
    shown = lines[(at - 1) * MOST_LINES : at * MOST_LINES]
    return "\n".join([*shown, *([f"page {at} of {pages}"] if pages > 1 else [])])


def _line(memo: Memo) -> str:
    """A memo on one line: its id when it can be changed, the day, the text."""
    text = clipped(_cleaned(line_of(memo)), _SHOWN_CHARACTERS)
    if memo.kind == KIND:
        return f"[{memo.id}] {memo.said_at:%Y-%m-%d} {text}"
    return text if "key" in memo.metadata else f"{memo.said_at:%Y-%m-%d} {text}"


def _cleaned(text: str) -> str:
    """The text on one line, without what cannot be seen or turns what can."""
    seen = (" " if unicodedata.category(mark) in ("Cc", "Zl", "Zp") else mark for mark in text)
    kept = (mark for mark in seen if mark not in _OVERRIDES and unicodedata.category(mark) != "Cs")
    return " ".join("".join(kept).split())


def _text(text: str) -> str:
    said = _cleaned(text)
    if not said:
        raise RefusedError("the text is empty: write what to save")
    if len(said) > LONGEST_TEXT:
        raise RefusedError(_too_long(said))
    return said


def _too_long(text: str) -> str:
    return f"the text has {len(text)} characters and may have {LONGEST_TEXT}: save what matters, in several parts if need be"


def _key(key: str) -> str:
    named = _cleaned(key)
    if not named or len(named) > LONGEST_KEY:
        raise RefusedError(f"a key has 1 to {LONGEST_KEY} characters, this one has {len(named)}: give a short name")
    return named


def _of(call: Call, memory: str) -> Origin:
    return Origin(call.origin.root, turn_id=call.origin.turn_id, memory=memory)


def _after(known: Iterable[Version], now: datetime) -> datetime:
    """Now, or right after the newest version where the clock went back since."""
    return max([now, *(version.moment + TICK for version in known)])
