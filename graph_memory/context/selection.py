"""Sections while they are being cut: what each snippet costs, which are out because something else says the same."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate

from graph_memory.context.render import paragraph, quoted
from graph_memory.context.repeats import tell_other_times
from graph_memory.types import Line, Section, Snippet, TokenCounter

Truncate = Callable[[Section, int], Section]
"""A memory's own way to cut its section to a number of tokens."""

PINNED = "pinned"
IN_WINDOW = "already in the window"
EMPTY = "empty"

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
        shorter: what is shown of snippets that were cut.
        whole: tokens and cost that those had before.
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
    shorter: dict[int, str] = field(default_factory=dict)
    whole: dict[int, tuple[int, int]] = field(default_factory=dict)

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
            if index in self.shorter:
                self.restore(index)
        self.kept.difference_update(indices)

    def shorten(self, index: int, text: str, tokens: int, cost: int) -> None:
        """Shows `text` in place of the whole snippet."""
        self.whole.setdefault(index, (self.tokens[index], self.costs[index]))
        self.shorter[index], self.tokens[index], self.costs[index] = text, tokens, cost

    def restore(self, index: int) -> None:
        """Shows the whole snippet again."""
        del self.shorter[index]
        self.tokens[index], self.costs[index] = self.whole[index]

    def whole_cost(self, index: int) -> int:
        """Cost of the snippet's line when nothing is cut."""
        return self.whole[index][1] if index in self.whole else self.costs[index]

    def open_indices(self) -> list[int]:
        """Snippets that nothing is decided about."""
        return [index for index, rule in enumerate(self.rules) if not rule]

    def text(self) -> str:
        """The section as it is shown, oldest first; snippets without a time come after, best first."""
        if not self.kept:
            return ""
        snippets = self.section.snippets
        shown = ((snippets[i].label, self.shown(i)) for i in sorted(self.kept, key=self._place))
        return paragraph(self.section.heading, shown)

    def shown(self, index: int) -> str:
        """The text of a snippet as it is shown."""
        return self.shorter.get(index) or self.section.snippets[index].text

    def _place(self, index: int) -> tuple[bool, datetime, float, int]:
        snippet = self.section.snippets[index]
        if snippet.said_at is None:
            return True, _LONG_AGO, -snippet.score, index
        return False, moment(snippet), 0.0, index

    def lines(self) -> list[Line]:
        """Every offered snippet, with the rule that let it in or left it out."""
        memory, kept, shorter = self.section.memory, self.kept, self.shorter
        return [
            Line(memory, s.memo_id, shorter.get(i, s.text), tokens, i in kept, rule, s.score, s.parts)
            for i, (s, tokens, rule) in enumerate(zip(self.section.snippets, self.tokens, self.rules, strict=True))
        ]


def offer(section: Section, counter: TokenCounter) -> Offer:
    """A section with its costs counted; snippets that bring their tokens are not counted again."""
    count = counter.count_text
    tokens = [s.tokens if s.tokens >= 0 else count(s.text) for s in section.snippets]
    framing = line_framing(counter)
    costs = [
        line_cost(s.text, cost, framing, counter) if "\n" in s.text or "<" in s.text else cost + framing
        for s, cost in zip(section.snippets, tokens, strict=True)
    ]
    heading = count(section.heading) + 2 * framing
    rules = ["" if s.text and not s.text.isspace() else EMPTY for s in section.snippets]
    labels = {label: count(f"\n{label or 'undated'}") for label in {s.label for s in section.snippets}}
    made = Offer(section, tokens, costs, heading, rules, labels if labels.keys() - {""} else {})
    if section.pinned:
        made.keep(made.open_indices(), PINNED)
    return made


def is_front(made: Offer) -> bool:
    """Whether it stands in the system message, before the conversation."""
    return made.section.placement == "system"


def line_framing(counter: TokenCounter) -> int:
    """Tokens that a line has beside its text."""
    return max(1, counter.count_text("\n- x") - counter.count_text("x"))


def line_cost(text: str, tokens: int, framing: int, counter: TokenCounter) -> int:
    """Tokens of a text's line, with what quoting adds."""
    is_quoted = "\n" in text or "<" in text
    return framing + (max(tokens, counter.count_text(quoted(text))) if is_quoted else tokens)


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
                if _tell_other_times(offers[other].section.snippets[place - starts[other]], snippets[index]):
                    continue
                is_better = _settle(offers[other], place - starts[other], made, index)
                places[said] = start + index if is_better else place


def _tell_other_times(one: Snippet, other: Snippet) -> bool:
    return tell_other_times(one.text, one.said_at, other.said_at)


def _settle(one: Offer, one_index: int, other: Offer, other_index: int) -> bool:
    """Leaves out the worse of two snippets of the same text, unless it is pinned; whether the other is the better."""
    is_better = _rank(other, other_index) > _rank(one, one_index)
    winner, loser, index = (other, one, one_index) if is_better else (one, other, other_index)
    if not loser.section.pinned:
        loser.rules[index] = f"said already in {winner.section.memory}"
    return is_better


def _rank(made: Offer, index: int) -> tuple[bool, float, int]:
    return made.section.pinned, made.section.snippets[index].score, made.section.priority


def score_of(made: Offer, group: Sequence[int]) -> float:
    """The best score in a group."""
    snippets = made.section.snippets
    return snippets[group[0]].score if len(group) == 1 else max(snippets[i].score for i in group)


def moment(snippet: Snippet) -> datetime:
    """When it was said, for comparison; long ago when that is unknown."""
    if snippet.said_at is None:
        return _LONG_AGO
    return snippet.said_at if snippet.said_at.tzinfo is not None else snippet.said_at.replace(tzinfo=UTC)
