"""Merges a thread and what memories offered into the one context that the LLM node receives, never above the budget.

The order is what changes rarely first: one system message, earlier turns, the newest human message with the memory block
before its words, the rest of the running turn. What must be shown is paid for first; the rest is shared out by weight. What
stands in the system message keeps to its share, whatever the others leave, so that it is the same from call to call (law 8).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

from langchain_core.messages import BaseMessage

from graph_memory.context.budget import allocate, weight_shares
from graph_memory.context.exchanges import SHORTENED
from graph_memory.context.explain import all_lines, tokens_by_memory
from graph_memory.context.history import History
from graph_memory.context.packing import second_helping, shave, take, take_truncated
from graph_memory.context.parts import Parts, measured, must_show, over_budget
from graph_memory.context.repeats import Said
from graph_memory.context.selection import Offer, Truncate, drop_repeated, drop_shown, is_front
from graph_memory.types import Context, Section, TokenCounter

STEPS = 16
"""Shares of what comes before the tail are rounded down to a sixteenth of the budget, so that they change rarely."""

LEAST_LINE = 12
"""Fewer tokens that are left are not worth another look."""

_NO_TRUNCATE: Mapping[str, Truncate] = {}


def merge(
    messages: Sequence[BaseMessage],
    sections: Sequence[Section],
    *,
    budget_tokens: int,
    counter: TokenCounter,
    reserve_tokens: int = 0,
    turn_id: str = "",
    node: str = "",
    truncate: Mapping[str, Truncate] = _NO_TRUNCATE,
    steady_tokens: int | None = None,
    shares: Mapping[str, float] | None = None,
) -> Context:
    """The context for the next model call.

    System messages, pinned sections and the newest human message are always shown, and the running turn as far as it
    fits. Of what remains, sections of the system message get what they want of their share first. The rest is allocated by
    weight; the history is cut first, for what it shows need not be said twice.

    Args:
        messages: the thread, oldest first.
        sections: what the memories offered. Earlier turns come from the first section with placement "history" only.
        budget_tokens: tokens that the context may have, framing included.
        counter: how tokens are counted.
        reserve_tokens: tokens of the budget that are left free for what the node adds by itself.
        turn_id: id of the human message that it is made for; the newest one's when left out.
        node: the LLM node that it is made for.
        truncate: by memory name, that memory's own way to cut its section, used instead of choosing groups by score.
        steady_tokens: the part of the budget that is the same for every call of a thread; all of it when left out.
        shares: by memory name, the fraction of it that a section of the system message may have; by the sections' weights
            when left out.

    Raises:
        BudgetError: what must be shown does not fit; names the sizes.
        ConfigurationError: weights or shares make no sense.
    """
    available = budget_tokens - reserve_tokens
    parts = must_show(messages, sections, available, counter)
    steady = (budget_tokens if steady_tokens is None else steady_tokens) - reserve_tokens
    caps = _front_caps(parts, steady, _weight_shares(sections) if shares is None else shares, counter)
    said = _select(parts, caps, max(1, budget_tokens // STEPS), truncate, counter)
    assembled, total = _filled(parts, available, said, counter)
    return Context(
        messages=tuple(assembled),
        budget_tokens=budget_tokens,
        total_tokens=total,
        tokens=tokens_by_memory(parts, sections, total, counter),
        lines=tuple(all_lines(parts, sections, counter)),
        sections=tuple(sections),
        turn_id=turn_id or (parts.thread.human.id or "" if parts.thread.human else ""),
        node=node,
        counter=counter.name,
        elapsed_ms={section.memory: section.elapsed_ms for section in sections},
        degradations={section.memory: section.degraded for section in sections if section.degraded},
    )


def _weight_shares(sections: Sequence[Section]) -> dict[str, float]:
    by_name = {section.memory: section for section in sections}
    return weight_shares(
        {name: section.weight for name, section in by_name.items()},
        min_shares={name: section.min_share for name, section in by_name.items()},
        max_shares={name: section.max_share for name, section in by_name.items()},
    )


def _front_caps(parts: Parts, steady: int, shares: Mapping[str, float], counter: TokenCounter) -> dict[int, int]:
    """Tokens that each competing section of the system message may have, by its position; of what never varies."""
    free = max(0, steady - measured(parts.thread.system, counter))
    return {
        index: int(free * shares.get(made.section.memory, 0.0))
        for index, made in enumerate(parts.made)
        if isinstance(made, Offer) and is_front(made) and not made.section.pinned
    }


def _select(
    parts: Parts, caps: Mapping[int, int], step: int, truncate: Mapping[str, Truncate], counter: TokenCounter
) -> Said:
    """Decides about everything that competes: history first, then the system message, then the tail; what these say."""
    shown = {fate.message.id for fate in parts.fates if fate.kept and fate.rule != SHORTENED and fate.message.id}
    front, tail = (
        [made for made in parts.offers if is_front(made)],
        [made for made in parts.offers if not is_front(made)],
    )
    drop_repeated(front)
    drop_repeated(tail)
    drop_shown(parts.offers, shown)
    if (history := parts.history) is not None:
        if not history.section.pinned:
            history.cut(_grants(parts, caps)[parts.made.index(history)], step)
        drop_shown(parts.offers, {message.id for message in history.messages if message.id})
    grants, said = _grants(parts, caps), Said()
    for is_of_front, offers in ((True, front), (False, tail)):
        _say_pinned(offers, said)
        for index, made in enumerate(parts.made):
            if isinstance(made, Offer) and not made.section.pinned and is_front(made) is is_of_front:
                grant = _steady(made, grants[index], min(made.wanted, caps.get(index, 0)), step)
                parts.made[index] = _taken(made, grant, parts.room, truncate, said, counter)
    competing = [made for made in parts.made if made is not None and not made.section.pinned]
    second_helping(_tail(parts), parts.room - sum(made.used for made in competing), said)
    return said


def _tail(parts: Parts) -> list[Offer]:
    return [made for made in parts.offers if not is_front(made)]


def _say_pinned(offers: Sequence[Offer], said: Said) -> None:
    """Takes note of what is said in any case."""
    for made in offers:
        if made.section.pinned:
            for index in made.kept:
                said.add(made.shown(index), made.section.snippets[index].said_at)


def _grants(parts: Parts, caps: Mapping[int, int]) -> dict[int, int]:
    """Tokens for each competing section, by its position: those of the system message first, up to their caps."""
    competing = {i: made for i, made in enumerate(parts.made) if made is not None and not made.section.pinned}
    front = _allocated({i: made for i, made in competing.items() if i in caps}, parts.room, caps)
    rest = {i: made for i, made in competing.items() if i not in caps}
    return front | _allocated(rest, parts.room - sum(front.values()), {})


def _allocated(competing: Mapping[int, Offer | History], room: int, caps: Mapping[int, int]) -> dict[int, int]:
    wants = {str(i): min(made.wanted, caps.get(i, made.wanted)) for i, made in competing.items()}
    if not any(wants.values()):
        return dict.fromkeys(competing, 0)
    sections = {str(i): made.section for i, made in competing.items()}
    grants = allocate(
        wants,
        {name: section.weight for name, section in sections.items()},
        room,
        min_shares={name: section.min_share for name, section in sections.items()},
        max_shares={name: section.max_share for name, section in sections.items()},
        priorities={name: section.priority for name, section in sections.items()},
    )
    return {int(name): grant for name, grant in grants.items()}


def _steady(made: Offer, grant: int, wanted: int, step: int) -> int:
    """The grant; for a section of the system message that gets less than its share, rounded down, to be cut alike next time."""
    return grant - grant % step if is_front(made) and wanted > grant > step else grant


def _taken(
    made: Offer, grant: int, room: int, truncate: Mapping[str, Truncate], said: Said, counter: TokenCounter
) -> Offer:
    made.cap = int(room * made.section.max_share)
    shorten = truncate.get(made.section.memory)
    if shorten is not None and made.wanted > grant:
        return take_truncated(made, grant, shorten, said, counter)
    take(made, grant, said, counter)
    return made


def _filled(parts: Parts, available: int, said: Said, counter: TokenCounter) -> tuple[list[BaseMessage], int]:
    """`_fit`, and again with more before the newest message when the finished text takes less than its parts were reckoned at."""
    messages, total = _fit(parts, available, counter)
    tail = [made for made in _tail(parts) if made.skipped]
    if not tail or available - total < LEAST_LINE:
        return messages, total
    for made in tail:
        made.cap += available - total if made.section.max_share == 1 else 0
    second_helping(tail, available - total, said)
    return _fit(parts, available, counter)


def _fit(parts: Parts, available: int, counter: TokenCounter) -> tuple[list[BaseMessage], int]:
    """The messages and their tokens, after the worst lines are dropped that the finished text has no room for.

    Texts joined may cost more than the sum of their parts, so only the finished messages tell. Each round aims at twice
    the excess of the one before, and the last two at everything that is not pinned: first the lines, then the history.
    """
    for factor in (1, 2, 4, inf, inf):
        messages = parts.messages()
        total = measured(messages, counter)
        if total <= available:
            return messages, total
        excess = (total - available) * factor
        history = parts.history
        if not shave(parts.offers, excess) and history is not None and not history.section.pinned:
            history.cut(int(max(0, history.used - excess)), 1)
    messages = parts.messages()
    total = measured(messages, counter)
    if total <= available:
        return messages, total
    raise over_budget(parts.thread, total, available, counter)
