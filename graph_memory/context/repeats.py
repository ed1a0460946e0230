"""Which lines say nothing that a better line does not say: near-repeats, told from facts that differ in a word. Pure.

A line repeats a better one when all its words stand there in the same order, and what the better one says besides is little and
takes nothing back. A word of its own makes it another fact: "I moved to Paris" and "I moved to London" are both kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from graph_memory.context.times import relative_times

LARGEST_SHARE = 0.25
"""How much of the better line may be words of its own."""

MOST = 1000
"""Lines that are compared; of a context of more the rest is taken as it is."""

_FILLERS = frozenset(
    "a an the and so oh ah aw hey hi hello well yes yeah yep ok okay sure wow yay haha lol just really very quite too also"  # noqa: SIM905
    " please thanks actually indeed definitely totally".split()
)
_CHANGING = frozenset(
    "not no none nobody nothing never neither nor without cannot almost nearly hardly barely if unless except maybe perhaps might"  # noqa: SIM905
    " may could would should want wanted wish hope hoped plan planned planning try tried instead before until used nicht kein"
    " keine nie niemals fast wenn vielleicht ne pas jamais presque si nunca jamás casi quizás non mai forse não nem nao не нет ни"
    " никогда почти если может nie bez".split()
)
_EDGES = ".,;:!?…\"'“”‘’()[]{}*_~`-–—。，！？、؟،"

_Line = tuple[list[str], frozenset[str], datetime | None]


class Said:
    """The lines that are shown so far, by the words that a line which repeats them can end with."""

    __slots__ = ("_endings", "_lines")

    def __init__(self) -> None:
        self._lines = 0
        self._endings: dict[str, list[_Line]] = {}

    def add(self, text: str, said_at: datetime | None = None) -> bool:
        """Takes note of a line, unless it repeats one that is known; whether it was new."""
        words = words_of(text)
        if self._lines >= MOST or not words:
            return True
        held = frozenset(words)
        for better, others, then in self._endings.get(words[-1], ()):
            if held <= others and covers(better, words) and not tell_other_times(text, said_at, then):
                return False
        line = (words, held, said_at)
        for word in {*words[-1 - int(LARGEST_SHARE * len(words)) :]}:
            self._endings.setdefault(word, []).append(line)
        self._lines += 1
        return True


def words_of(text: str) -> list[str]:
    """The words of a text as they are compared: no case, no punctuation around them, no interjections."""
    return [word for raw in text.casefold().split() if (word := raw.strip(_EDGES)) and word not in _FILLERS]


def covers(better: Sequence[str], words: Sequence[str]) -> bool:
    """Whether `words` stand in `better` in their order, and little else, which changes nothing."""
    if len(better) - len(words) > LARGEST_SHARE * len(better):
        return False
    waiting = iter(words)
    wanted, extra = next(waiting, None), []
    for word in better:
        if word == wanted:
            wanted = next(waiting, None)
        else:
            extra.append(word)
    return wanted is None and not any(map(_changes, extra))


def tell_other_times(text: str, said_at: datetime | None, again: datetime | None) -> bool:
    """Whether the same words mean different times, because "yesterday" was said on different days."""
    if said_at is None or again is None or said_at.date() == again.date():
        return False
    return bool(relative_times(text, said_at.toordinal()))


def _changes(word: str) -> bool:
    return word in _CHANGING or word.endswith(("n't", "n’t")) or any(character.isdigit() for character in word)
