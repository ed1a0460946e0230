"""Packing competing sections into their shares: whole groups, best first, long texts cut to what answers, repeats left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from graph_memory.context.passages import shortened
from graph_memory.context.repeats import Said
from graph_memory.context.selection import Offer, Truncate, is_front, line_cost, line_framing, moment, offer, score_of
from graph_memory.types import TokenCounter

WITHIN_SHARE = "within its share"
CUT = "cut to what answers"
REPEATS = "says no more than another line"
FITS_AFTER_ALL = "fits in what others left"
OVER_BUDGET = "over budget"
TRUNCATED = "truncated by its memory"

SECOND_CHANCES = 32
"""Groups of a section that may use what others left."""

SHORT_TOKENS = 120
"""A text up to this long, some ninety words, is never cut: what is cut out of it may have been the answer."""

FIRST_SHARE = 4
"""The best text may have a fourth of the section's tokens, the next a fifth, and so on down to `SHORT_TOKENS`."""

LEAST_TOKENS = 48
"""Less of a long text is not worth a line."""


def take(made: Offer, max_tokens: int, said: Said, counter: TokenCounter) -> None:
    """Keeps whole groups, best first, that fit `max_tokens`; one that does not fit is skipped.

    Long texts that bring the terms of what is asked are cut when not everything fits, the shorter the lower they rank.
    What says no more than something in `said` is left out, and what is kept is added to it.
    """
    room = max_tokens - made.heading_tokens
    indices = made.open_indices()
    if not indices:
        return
    snippets = made.section.snippets
    cuts = any(snippets[i].about for i in indices) and made.cost_of(indices) > room
    over: list[int] = []
    labelled: set[str] = set()
    for rank, group in enumerate(_groups(made, indices)):
        single = not made.labels and len(group) == 1  # of 10,000 most are, and a call for each would show
        cost = made.costs[group[0]] if single else made.cost_of(group, labelled)
        if cuts and cost > (allowed := max(SHORT_TOKENS, max_tokens // (FIRST_SHARE + rank))):
            others = cost - made.costs[group[0]]
            if len(group) == 1 and _cut(made, group[0], min(allowed, room) - others, counter):
                cost = made.costs[group[0]] + others
        if cost > room:
            over += group
            if len(made.skipped) < SECOND_CHANCES:
                made.skipped.append(group)
        elif not _is_news(made, group, said):
            made.drop(group, REPEATS)
        else:
            made.keep(group, CUT if group[0] in made.shorter else WITHIN_SHARE)
            labelled |= made.labels_of(group)
            room -= cost
    made.drop(over, OVER_BUDGET)
    _grow(made, room, counter)


def _is_news(made: Offer, group: Sequence[int], said: Said) -> bool:
    """Whether one of the lines says something new; all are known then."""
    return max([said.add(made.shown(i), made.section.snippets[i].said_at) for i in group])


def _cut(made: Offer, index: int, max_cost: int, counter: TokenCounter) -> bool:
    """Cuts a snippet so that its line costs `max_cost` at most; whether that went."""
    snippet = made.section.snippets[index]
    if not snippet.about or max_cost < LEAST_TOKENS:
        return False
    framing = line_framing(counter)

    def cost(text: str) -> int:
        return line_cost(text, counter.count_text(text), framing, counter)

    text = shortened(snippet.text, snippet.about, max_cost, made.whole_cost(index), cost, lead=snippet.lead)
    if text:
        made.shorten(index, text, counter.count_text(text), cost(text))
    return bool(text)


def _grow(made: Offer, room: int, counter: TokenCounter) -> None:
    """Shows more of the texts that were cut, the best first, where tokens are left."""
    for index in [index for index in made.shorter if index in made.kept]:
        if room < LEAST_TOKENS:
            return
        before = made.costs[index]
        if made.whole_cost(index) <= before + room:
            made.restore(index)
            made.keep((index,), WITHIN_SHARE)
        else:
            _cut(made, index, before + room, counter)
        room -= made.costs[index] - before


def take_truncated(made: Offer, max_tokens: int, truncate: Truncate, said: Said, counter: TokenCounter) -> Offer:
    """The offer cut by its memory's own `truncate`; by groups, should that still be too long.

    What the memory left out stays in the explanation.
    """
    open_section = replace(made.section, snippets=tuple(made.section.snippets[i] for i in made.open_indices()))
    cut = truncate(open_section, max(0, max_tokens - made.heading_tokens))
    survivors = {id(snippet) for snippet in cut.snippets}
    gone = [i for i, s in enumerate(made.section.snippets) if made.rules[i] or id(s) not in survivors]
    snippets = (*cut.snippets, *(made.section.snippets[i] for i in gone))
    new = offer(replace(made.section, snippets=snippets), counter)
    new.rules[len(cut.snippets) :] = [made.rules[i] or TRUNCATED for i in gone]
    new.cap = made.cap
    take(new, max_tokens, said, counter)
    return new


def second_helping(offers: Sequence[Offer], spare: int, said: Said) -> None:
    """Gives tokens that no whole group could use within its share to groups elsewhere: by priority, then by score."""
    waiting = [(made, group) for made in offers for group in made.skipped if group[0] not in made.kept]
    waiting.sort(key=lambda entry: (entry[0].section.priority, score_of(*entry)), reverse=True)
    for made, group in waiting:
        cost = made.cost_of(group, made.labels_of(made.kept)) + (0 if made.kept else made.heading_tokens)
        if cost <= spare and made.used + cost <= made.cap and _is_news(made, group, said):
            made.keep(group, FITS_AFTER_ALL)
            spare -= cost


def shave(offers: Sequence[Offer], tokens: float) -> bool:
    """Drops the worst groups until `tokens` are saved, lowest priority and score first; those before the history at last.

    Returns:
        Whether there were any.
    """
    groups = [(made, group) for made in offers if not made.section.pinned for group in _groups(made, sorted(made.kept))]
    groups.sort(key=lambda entry: (is_front(entry[0]), entry[0].section.priority, score_of(*entry)))
    for made, group in groups:
        if tokens <= 0:
            break
        tokens -= made.cost_of(group, made.labels)
        made.drop(group, OVER_BUDGET)
    return bool(groups)


def _groups(made: Offer, indices: Sequence[int]) -> Iterator[Sequence[int]]:
    """Groups of snippets that stay together, best first; equal scores by freshness, then by memo id.

    They are sorted by the index of their first snippet: an object for each of 10,000 would cost more in garbage
    collection than all the rest of the merge.
    """
    snippets = made.section.snippets
    firsts: dict[str, int] = {}
    members: dict[int, list[int]] = {}
    for index in indices:
        if name := snippets[index].group:
            members.setdefault(firsts.setdefault(name, index), []).append(index)
    leaders = [index for index in indices if not snippets[index].group or index in members]
    scores = {index: score_of(made, members.get(index, (index,))) for index in leaders}
    if len(set(scores.values())) < len(leaders):
        leaders.sort(key=lambda index: snippets[index].memo_id)
        leaders.sort(key=lambda index: max(moment(snippets[i]) for i in members.get(index, (index,))), reverse=True)
    leaders.sort(key=scores.__getitem__, reverse=True)
    return (members.get(index, (index,)) for index in leaders)
