"""Which memos say the same: equal but for case, punctuation and filler words, or long and alike but for a few words. Pure.

Merging loses what differs, so whatever changes the meaning keeps two texts apart: a number, a name, a negation, a pronoun, the
order of words; and who said it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from rapidfuzz.distance import Indel

from graph_memory.types import Memo, Origin

_WORD = re.compile(r"[^\W_]+(?:['’][^\W\d_]+)*")
_FILLERS = frozenset(
    "a an the oh ah hey well so just really very actually then please ok okay yes yeah hm hmm".split()  # noqa: SIM905
)
_TURNS = frozenset(
    (  # noqa: SIM905
        "i me my mine we us our ours you your yours he him his she her hers it its they them their theirs no not nor never"
        " none nothing nobody without cannot can could may might must shall should will would do does did is are was were be"
        " been am has have had if unless but before after until more less all some"
    ).split()
)
"""Words that turn a sentence into another one."""

_LONG = 12
"""Words from which on a text may differ in a few and still say the same."""

_RAREST = 3
_MOST_COMPARED = 100


@dataclass(frozen=True)
class _Text:
    memo: Memo

    @cached_property
    def written(self) -> list[str]:
        return _WORD.findall(self.memo.text.replace("’", "'"))

    @cached_property
    def words(self) -> tuple[str, ...]:
        plain = [word.casefold() for word in self.written]
        return tuple(word for word in plain if word not in _FILLERS) or tuple(plain)

    @cached_property
    def fixed(self) -> Counter[str]:
        """What must not differ: numbers, names, negations, pronouns, tenses."""
        first = self.written[:1]
        names = {word for word in self.written if word[:1].isupper() and [word] != first}
        return Counter(word.casefold() for word in self.written if word in names or _is_fixed(word.casefold()))

    @property
    def who(self) -> tuple[str, str, str]:
        return self.memo.kind, self.memo.speaker, "?" if self.memo.text.rstrip().endswith(("?", "？", "؟")) else ""


def near_duplicates(memos: Iterable[Memo], similarity: float) -> list[tuple[Memo, list[Memo]]]:
    """Each memo that others repeat, with those others; the oldest is the one that is repeated.

    Args:
        memos: in any order.
        similarity: share of words that two long texts have in common in the same order; 1 asks for equal texts.
    """
    ordered = sorted(memos, key=lambda memo: (memo.said_at, memo.origin.seq, memo.id))
    texts = [text for text in map(_Text, ordered) if text.words]
    frequency = Counter(word for text in texts for word in set(text.words))
    blocks: defaultdict[tuple[str, ...], list[_Text]] = defaultdict(list)
    repeated: dict[str, tuple[Memo, list[Memo]]] = {}
    for text in texts:
        keys = _keys(text, frequency)
        near = (earlier for key in keys for earlier in blocks[key][:_MOST_COMPARED])
        first = next((earlier for earlier in near if _alike(earlier, text, similarity)), None)
        if first is not None:
            repeated.setdefault(first.memo.id, (first.memo, []))[1].append(text.memo)
            continue
        for key in keys:
            blocks[key].append(text)
    return list(repeated.values())


def says_the_same(one: Memo, other: Memo, similarity: float) -> bool:
    """Whether two memos are near-duplicates."""
    return _alike(_Text(one), _Text(other), similarity)


def _alike(one: _Text, other: _Text, similarity: float) -> bool:
    if one.who != other.who or one.fixed != other.fixed or _on_other_lines(one.memo.origin, other.memo.origin):
        return False
    if one.words == other.words:
        return True
    if min(len(one.words), len(other.words)) < _LONG:
        return False
    return float(Indel.normalized_similarity(one.words, other.words, score_cutoff=similarity)) >= similarity


def _keys(text: _Text, frequency: Counter[str]) -> list[tuple[str, ...]]:
    """What two texts must share to be compared: all their words or, when they are long, one of their rarest."""
    rarest = sorted(set(text.words), key=lambda word: (frequency[word], word))[:_RAREST]
    long = [("word", *text.who, word) for word in rarest] if len(text.words) >= _LONG else []
    return [("whole", *text.who, *text.words), *long]


def _on_other_lines(one: Origin, other: Origin) -> bool:
    """Whether a fork could see the one and not the other."""
    return one.root == other.root and (one.line, one.branch) != (other.line, other.branch)


def _is_fixed(word: str) -> bool:
    return word in _TURNS or word.endswith("n't") or any(map(str.isdigit, word))
