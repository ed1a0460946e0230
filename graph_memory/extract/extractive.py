"""The summary without a model: the sentences that carry most, with who said them and when. It quotes, and understands nothing.

A sentence is worth the words that it adds, rare ones more; names, numbers, times and decisions add to it, a question is worth
little. Words that were chosen before count less each time, and a near-repeat counts nothing. The best value for its tokens is
taken first, and what belongs to a message that is quoted already comes more easily, because half an exchange of facts is seldom
understood. Deterministic and, but for a few English words, the same in every language.

`sumy`, `pytextrank` and their like summarise one text by a number of sentences, know neither speakers nor tokens nor an earlier
summary, and bring NLTK or spaCy data.
"""

from __future__ import annotations

import heapq
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from langchain_core.messages import BaseMessage

from graph_memory.context.notes import is_question
from graph_memory.context.times import absolute_times, relative_times
from graph_memory.context.words import terms
from graph_memory.extract.statements import Statement, parsed, rendered, statements_of

CountText = Callable[[str], int]
"""Tokens of a text."""

QUESTION = 0.3
REPEATED = 0.9
SAME_MESSAGE = 4.0
NEAR_REPEAT = 0.8

_NUMBER = re.compile(r"\d")
_DECIDED = re.compile(r"\b(?:decid|agree[ds]?\b|promis|deadline)", re.IGNORECASE)


def summarised(
    earlier: str, messages: Sequence[BaseMessage], *, max_tokens: int, count: CountText, earlier_share: float = 0.5
) -> str:
    """A summary of at most `max_tokens` from the one before and the messages since; never empty unless they are.

    Args:
        earlier: the summary of what came before; "" at first.
        messages: what was said since, oldest first.
        max_tokens: size of the new summary.
        count: tokens of a text.
        earlier_share: fraction of the room that `earlier` keeps when both would fill it, 0–1.
    """
    known = parsed(earlier)
    new = statements_of(messages, 1 + max((one.source for one in known), default=0))
    quotas = (int(max_tokens * earlier_share), max_tokens - int(max_tokens * earlier_share))
    return _fitting(
        [*known, *new], len(known), quotas if known and new else (max_tokens, max_tokens), max_tokens, count
    )


def shortened(text: str, *, max_tokens: int, count: CountText) -> str:
    """A text cut to `max_tokens` at the ends of its sentences: those that carry most stay, in their order."""
    if count(text) <= max_tokens:
        return text
    statements = parsed(text)
    return _fitting(statements, len(statements), (max_tokens, max_tokens), max_tokens, count)


def clipped(text: str, *, max_tokens: int, count: CountText) -> str:
    """The beginning of a text, as many whole words as fit `max_tokens`, with a mark where it was cut.

    Where not even one word fits, or there are no spaces, it is cut inside the word.
    """
    if count(text) <= max_tokens:
        return text
    words = text.split()
    attempts = ((words, " ", "…"), (list(text), "", "…"), (list(text), "", ""))
    return next(filter(None, (_longest(*attempt, max_tokens, count) for attempt in attempts)), "")


def _longest(units: Sequence[str], glue: str, mark: str, max_tokens: int, count: CountText) -> str:
    """As many units from the beginning as fit with the mark, found by halving."""
    low, high = 0, len(units)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count(glue.join(units[:middle]) + mark) <= max_tokens else (low, middle - 1)
    return glue.join(units[:low]) + mark if low else ""


def _fitting(
    statements: Sequence[Statement], known: int, quotas: tuple[int, int], max_tokens: int, count: CountText
) -> str:
    """The rendered choice; what costs more rendered than its parts did is paid for by what was chosen last."""
    whole = rendered(statements)
    if not statements or count(whole) <= max_tokens:
        return whole
    chosen = _Choice(statements, known, quotas, max_tokens, count).made()
    while chosen and count(text := rendered([statements[i] for i in sorted(chosen)])) > max_tokens:
        chosen.pop()
    return text if chosen else _least(statements, max_tokens, count)


def _least(statements: Sequence[Statement], max_tokens: int, count: CountText) -> str:
    """The beginning of the best sentence, when no sentence fits."""
    best = max(_measured(statements, count), key=lambda one: one.worth)
    whole = rendered([replace(best.statement, day="")])
    return clipped(whole, max_tokens=max_tokens, count=count) or clipped(
        best.statement.text, max_tokens=max_tokens, count=count
    )


@dataclass(slots=True)
class _Candidate:
    """A sentence with what it is worth: the weight of its terms, times `factor` for what it holds."""

    statement: Statement
    terms: frozenset[str]
    tokens: int
    factor: float
    weights: dict[str, float] = field(default_factory=dict)

    @property
    def worth(self) -> float:
        """Its worth beside nothing else."""
        return self.factor * sum(self.weights[term] for term in self.terms)


def _measured(statements: Iterable[Statement], count: CountText) -> list[_Candidate]:
    found = [_Candidate(one, frozenset(terms(one.text)), count(f" {one.text}"), _factor(one)) for one in statements]
    frequency = Counter(term for one in found for term in one.terms)
    weights = {term: math.log(1 + len(found) / often) for term, often in frequency.items()}
    newest = {one.terms: index for index, one in enumerate(found) if one.terms}
    for index, one in enumerate(found):
        one.weights = weights
        if newest.get(one.terms, index) != index:
            one.factor = 0.0  # said again later, perhaps to take it back: what was said last holds
    return found


def _factor(statement: Statement) -> float:
    """What a sentence holds beside its words: a number, a name, a time, a decision; and whether it only asks."""
    text = statement.text
    said = date.fromisoformat(statement.day) if statement.day else date(2000, 1, 1)
    marks = (
        any(map(str.isdigit, text)),
        any(word[:1].isupper() and len(word) > 2 and word[1] not in "'’" for word in text.split()[1:]),
        bool(relative_times(text, said.toordinal()) or absolute_times(text, (said.year,))[0]),
        bool(_DECIDED.search(text)),
    )
    return (1 + sum(marks)) * (QUESTION if is_question(text) else 1.0)


class _Choice:
    """A lazy greedy choice: the best worth for its tokens first, each within the quota of the part that it comes from."""

    def __init__(
        self, statements: Sequence[Statement], known: int, quotas: tuple[int, int], max_tokens: int, count: CountText
    ) -> None:
        self._all = _measured(statements, count)
        self._known = known
        self._quotas = list(quotas)
        self._room = max_tokens
        self._labels = {one.speaker: count(f"\n{one.speaker}:") for one in statements}
        self._days = {one.day: count(f"\n{one.day}") for one in statements}
        self._chosen: list[int] = []
        self._covered: Counter[str] = Counter()
        self._holding: dict[str, list[frozenset[str]]] = {}
        self._messages: set[int] = set()
        self._shown_days: set[str] = {""}
        self._of_message: dict[int, list[int]] = {}
        for index, one in enumerate(self._all):
            self._of_message.setdefault(one.statement.source, []).append(index)

    def made(self) -> list[int]:
        """Indices of the chosen sentences, in the order of choosing."""
        self._choose(quotas=True)
        self._choose(quotas=False)
        return self._chosen

    def _choose(self, *, quotas: bool) -> None:
        taken = set(self._chosen)
        heap = [(-self._density(i), i) for i in range(len(self._all)) if i not in taken]
        heapq.heapify(heap)
        while heap:
            _, index = heapq.heappop(heap)
            if index in taken:
                continue
            density = self._density(index)
            if heap and density < -heap[0][0]:
                heapq.heappush(heap, (-density, index))
                continue
            if density > 0 and self._take(index, quotas=quotas):
                taken.add(index)
                for other in self._of_message[self._all[index].statement.source]:
                    heapq.heappush(heap, (-self._density(other), other))

    def _density(self, index: int) -> float:
        one = self._all[index]
        worth = one.factor * sum(one.weights[term] * REPEATED ** self._covered[term] for term in one.terms)
        return worth * (SAME_MESSAGE if one.statement.source in self._messages else 1.0) / self._cost(one)

    def _cost(self, one: _Candidate) -> int:
        statement = one.statement
        label = 0 if statement.source in self._messages else self._labels[statement.speaker]
        return max(1, one.tokens + label + (0 if statement.day in self._shown_days else self._days[statement.day]))

    def _take(self, index: int, *, quotas: bool) -> bool:
        one, part = self._all[index], int(index >= self._known)
        cost = self._cost(one)
        if cost > self._room or (quotas and cost > self._quotas[part]) or self._is_repeat(one):
            return False
        self._room -= cost
        self._quotas[part] -= cost
        self._chosen.append(index)
        self._covered.update(one.terms)
        self._messages.add(one.statement.source)
        self._shown_days.add(one.statement.day)
        for term in one.terms:
            self._holding.setdefault(term, []).append(one.terms)
        return True

    def _is_repeat(self, one: _Candidate) -> bool:
        """Whether a chosen sentence has nearly the same terms, and the same numbers; it then shares one of the two rarest."""
        rarest = sorted(one.terms, key=lambda term: (-one.weights[term], term))[:2]
        return any(
            len(one.terms & other) >= NEAR_REPEAT * len(one.terms | other)
            and not any(_NUMBER.search(term) for term in one.terms ^ other)
            for term in rarest
            for other in self._holding.get(term, ())
        )
