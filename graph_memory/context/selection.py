"""Which snippets of the competing sections are shown: duplicates out, then whole groups by score within each share."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import accumulate

from graph_memory.context.render import paragraph, quoted
from graph_memory.types import Line, Section, Snippet, TokenCounter

Truncate = Callable[[Section, int], Section]
"""A memory's own way to cut its section to a number of tokens."""

PINNED = "pinned"
WITHIN_SHARE = "within its share"
FITS_AFTER_ALL = "fits in what others left"
OVER_BUDGET = "over budget"
IN_WINDOW = "already in the window"
EMPTY = "empty"
TRUNCATED = "truncated by its memory"

SECOND_CHANCES = 32
"""Groups of a section that may use what others left."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Offer:
    """A section while it is being cut.

    Attributes:
        section: what was offered.
        tokens: cost of each snippet's text.
        costs: cost of each snippet's line, with what quoting adds.
        heading_tokens: cost of the heading, paid once a snippet is kept.
        labels: cost of each label, paid once by the first snippet of that label that is kept.
        rules: why each snippet is in or out; "" while that is open.
        kept: indices of the snippets that are in.
        cap: tokens that it may use at most.
        skipped: groups that were too long for its share, best first.
    """

    section: Section
    tokens: list[int]
    costs: list[int]
    heading_tokens: int
    rules: list[str]
    labels: Mapping[str, int] = field(default_factory=dict)
    kept: set[int] = field(default_factory=set)
    cap: int = 0
    skipped: list[Sequence[int]] = field(default_factory=list)

    @property
    def wanted(self) -> int:
        """Tokens of everything that is open or kept, with the heading."""
        open_or_kept = [i for i in range(len(self.costs)) if not self.rules[i] or i in self.kept]
        return self.heading_tokens + self._cost(open_or_kept) if open_or_kept else 0

    @property
    def used(self) -> int:
        """Tokens of what is kept, with the heading."""
        return self.heading_tokens + self._cost(self.kept) if self.kept else 0

    @property
    def shown_tokens(self) -> int:
        """Tokens of the kept texts alone."""
        return sum(self.tokens[i] for i in self.kept)

    def cost_of(self, indices: Sequence[int], labelled: Container[str] = ()) -> int:
        """Tokens of these lines beside others that have shown the labels `labelled`."""
        lines = self.costs[indices[0]] if len(indices) == 1 else sum([self.costs[i] for i in indices])
        if not self.labels:
            return lines
        return lines + sum(self.labels[label] for label in self.labels_of(indices) if label not in labelled)

    def labels_of(self, indices: Iterable[int]) -> set[str]:
        """The labels of these lines."""
        return {self.section.snippets[i].label for i in indices} if self.labels else set()

    def _cost(self, indices: Collection[int]) -> int:
        return sum([self.costs[i] for i in indices]) + sum(self.labels[label] for label in self.labels_of(indices))

    def keep(self, indices: Iterable[int], rule: str) -> None:
        """Lets snippets in."""
        for index in indices:
            self.rules[index] = rule
            self.kept.add(index)

    def drop(self, indices: Sequence[int], rule: str) -> None:
        """Leaves snippets out."""
        for index in indices:
            self.rules[index] = rule
        self.kept.difference_update(indices)

    def open_indices(self) -> list[int]:
        """Snippets that nothing is decided about."""
        return [index for index, rule in enumerate(self.rules) if not rule]

    def text(self) -> str:
        """The section as it is shown, oldest first; snippets without a time come after, best first."""
        if not self.kept:
            return ""
        shown = [self.section.snippets[i] for i in sorted(self.kept, key=self._place)]
        return paragraph(self.section.heading, ((snippet.label, snippet.text) for snippet in shown))

    def _place(self, index: int) -> tuple[bool, datetime, float, int]:
        snippet = self.section.snippets[index]
        if snippet.said_at is None:
            return True, _LONG_AGO, -snippet.score, index
        return False, _moment(snippet), 0.0, index

    def lines(self) -> list[Line]:
        """Every offered snippet, with the rule that let it in or left it out."""
        memory, kept = self.section.memory, self.kept
        return [
            Line(memory, s.memo_id, s.text, tokens, i in kept, rule, s.score, s.parts)
            for i, (s, tokens, rule) in enumerate(zip(self.section.snippets, self.tokens, self.rules, strict=True))
        ]


def offer(section: Section, counter: TokenCounter) -> Offer:
    """A section with its costs counted; snippets that bring their tokens are not counted again."""
    count = counter.count_text
    tokens = [s.tokens if s.tokens >= 0 else count(s.text) for s in section.snippets]
    framing = max(1, count("\n- x") - count("x"))
    costs = [
        max(cost, count(quoted(s.text))) + framing if "\n" in s.text or "<" in s.text else cost + framing
        for s, cost in zip(section.snippets, tokens, strict=True)
    ]
    heading = count(section.heading) + 2 * framing
    rules = ["" if s.text and not s.text.isspace() else EMPTY for s in section.snippets]
    labels = {label: count(f"\n{label or 'undated'}") for label in {s.label for s in section.snippets}}
    made = Offer(section, tokens, costs, heading, rules, labels if labels.keys() - {""} else {})
    if section.pinned:
        made.keep(made.open_indices(), PINNED)
    return made


def drop_shown(offers: Iterable[Offer], shown_ids: set[str]) -> None:
    """Leaves out what repeats messages that are in the window word for word."""
    for made in offers:
        if made.section.pinned:
            continue
        for index, snippet in enumerate(made.section.snippets):
            if snippet.source_ids and not made.rules[index] and shown_ids.issuperset(snippet.source_ids):
                made.rules[index] = IN_WINDOW


def drop_repeated(offers: Sequence[Offer]) -> None:
    """Of snippets that say the same, lets only the best compete: pinned, then by score, then by priority."""
    places: dict[str, int] = {}
    starts = list(accumulate((len(made.rules) for made in offers), initial=0))
    for made, start in zip(offers, starts, strict=False):
        snippets = made.section.snippets
        for index, rule in enumerate(made.rules):
            if rule and rule != PINNED:
                continue
            said = " ".join(snippets[index].text.casefold().split())
            place = places.setdefault(said, start + index)
            if place != start + index:
                other = bisect_right(starts, place) - 1
                is_better = _settle(offers[other], place - starts[other], made, index)
                places[said] = start + index if is_better else place


def _settle(one: Offer, one_index: int, other: Offer, other_index: int) -> bool:
    """Leaves out the worse of two snippets of the same text, unless it is pinned; whether the other is the better."""
    is_better = _rank(other, other_index) > _rank(one, one_index)
    winner, loser, index = (other, one, one_index) if is_better else (one, other, other_index)
    if not loser.section.pinned:
        loser.rules[index] = f"said already in {winner.section.memory}"
    return is_better


def _rank(made: Offer, index: int) -> tuple[bool, float, int]:
    return made.section.pinned, made.section.snippets[index].score, made.section.priority


def take(made: Offer, max_tokens: int) -> None:
    """Keeps whole groups, best first, that fit `max_tokens`; one that does not fit is skipped."""
    room = max_tokens - made.heading_tokens
    indices = made.open_indices()
    if not indices or made.cost_of(indices) <= room:
        made.keep(indices, WITHIN_SHARE)
        return
    over: list[int] = []
    labelled: set[str] = set()
    for group in _groups(made, indices):
        single = not made.labels and len(group) == 1  # of 10,000 most are, and a call for each would show
        cost = made.costs[group[0]] if single else made.cost_of(group, labelled)
        if cost <= room:
            made.keep(group, WITHIN_SHARE)
            labelled |= made.labels_of(group)
            room -= cost
        else:
            over += group
            if len(made.skipped) < SECOND_CHANCES:
                made.skipped.append(group)
    made.drop(over, OVER_BUDGET)


def take_truncated(made: Offer, max_tokens: int, truncate: Truncate, counter: TokenCounter) -> Offer:
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
    take(new, max_tokens)
    return new


def second_helping(offers: Sequence[Offer], spare: int) -> None:
    """Gives tokens that no whole group could use within its share to groups elsewhere: by priority, then by score."""
    waiting = [(made, group) for made in offers for group in made.skipped]
    waiting.sort(key=lambda entry: (entry[0].section.priority, _score(*entry)), reverse=True)
    for made, group in waiting:
        cost = made.cost_of(group, made.labels_of(made.kept)) + (0 if made.kept else made.heading_tokens)
        if cost <= spare and made.used + cost <= made.cap:
            made.keep(group, FITS_AFTER_ALL)
            spare -= cost


def shave(offers: Sequence[Offer], tokens: float) -> bool:
    """Drops the worst groups, lowest priority and score first, until `tokens` are saved; whether there were any."""
    groups = [(made, group) for made in offers if not made.section.pinned for group in _groups(made, sorted(made.kept))]
    groups.sort(key=lambda entry: (entry[0].section.priority, _score(*entry)))
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
    scores = {index: _score(made, members.get(index, (index,))) for index in leaders}
    if len(set(scores.values())) < len(leaders):
        leaders.sort(key=lambda index: snippets[index].memo_id)
        leaders.sort(key=lambda index: max(_moment(snippets[i]) for i in members.get(index, (index,))), reverse=True)
    leaders.sort(key=scores.__getitem__, reverse=True)
    return (members.get(index, (index,)) for index in leaders)


def _score(made: Offer, group: Sequence[int]) -> float:
    snippets = made.section.snippets
    return snippets[group[0]].score if len(group) == 1 else max(snippets[i].score for i in group)


def _moment(snippet: Snippet) -> datetime:
    if snippet.said_at is None:
        return _LONG_AGO
    return snippet.said_at if snippet.said_at.tzinfo is not None else snippet.said_at.replace(tzinfo=UTC)
