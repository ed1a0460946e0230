"""Text to search terms: the one analysis that both stored texts and questions go through, in any language.

Words are found by Unicode properties and case-folded. Scripts that put no spaces between words (Chinese, Japanese, Thai, …) and
Korean, which glues particles to its nouns, become overlapping pairs of characters. English stop words are dropped and ASCII words
stemmed; words of other alphabets stay as they are. No dictionary, no model, no I/O.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

import snowballstemmer

_ENGLISH = """
a about above after again against all also am an and any are as at be because been before being below between both but by can
could did do does doing down during each few for from further get got had has have having he her here hers herself him himself
his how i if in into is it its itself just let me more most my myself no nor not now of off on once only or other our ours
ourselves out over own same shall she should so some such than that the their theirs them themselves then there these they this
those through to too under until up upon us very was we were what when where which while who whom whose why will with would you
your yours yourself yourselves
"""
STOP_WORDS = frozenset(_ENGLISH.split())
"""English words that say nothing about what a text is about."""

_IRREGULAR = """
become became; begin began begun; break broke broken; bring brought; build built; buy bought; catch caught; choose chose chosen
come came; draw drew drawn; drink drank drunk; drive drove driven; eat ate eaten; fall fell fallen; feel felt; find found
fly flew flown; forget forgot forgotten; give gave given; go went gone; grow grew grown; hear heard; hold held; keep kept
know knew known; learn learnt; leave left; lend lent; lose lost; make made; mean meant; meet met; pay paid; ride rode ridden
ring rang rung; run ran; say said; see saw seen; sell sold; send sent; sing sang sung; sit sat; sleep slept; speak spoke spoken
spend spent; steal stole stolen; swim swam swum; take took taken; teach taught; tell told; think thought; throw threw thrown
understand understood; wake woke woken; wear wore worn; win won; write wrote written; child children; person people; man men
woman women; life lives; wife wives; foot feet; tooth teeth
"""
IRREGULAR = {
    form: forms[0]
    for forms in (entry.split() for entry in _IRREGULAR.replace("\n", ";").split(";") if entry.strip())
    for form in forms[1:]
}
"""Irregular English forms to the word that they are forms of, which no stemmer brings together."""

_ENDINGS = frozenset({"s", "re", "ve", "ll", "d", "m"})
_MAX_TERM = (
    64  # characters; longer "words" are data (base64, hashes) that nobody asks for, and only their beginning is kept
)


def _marks() -> str:
    """Combining marks, which Python's `\\w` leaves out although Indic and Arabic words are made of them."""
    blocks = (
        range(0x300, 0x2100),
        range(0x302A, 0x309B),
        range(0xA66F, 0xAC00),
        range(0xFB1E, 0xFB1F),
        range(0xFE20, 0xFE30),
    )
    return "".join(chr(c) for block in blocks for c in block if unicodedata.category(chr(c)) in ("Mn", "Mc"))


_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u1100-\u11ff\u3005-\u3007\u3041-\u30ff\u3130-\u318f\u31f0-\u31ff"  # Hangul jamo, kana
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U000323af"  # ideographs, Hangul
)
_LETTER = rf"(?:(?![{_UNSPACED}])[\w{_marks()}])"
_TOKEN = re.compile(
    rf"(?P<number>\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?(?![\d,])|\d+(?:\.\d+)+)|(?P<unspaced>[{_UNSPACED}]+)|(?P<word>{_LETTER}+(?:'{_LETTER}+)*)"
)
_ASCII_TOKEN = re.compile(
    r"(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d,])|\d+(?:\.\d+)+)|(?P<word>[a-z0-9]+(?:'[a-z0-9]+)*)"
)

_stemmer = snowballstemmer.stemmer("english")
_stemming = threading.Lock()


def terms(text: str) -> list[str]:
    """The search terms of a text, in order and with repetitions.

    Stop words are dropped unless nothing would remain, so that "who are you" can still be looked for. A text without any word
    (empty, punctuation, emoji) has no terms.
    """
    words = list(segments(text))
    return [stem(word) for word in words if not _is_stop(word)] or [stem(word) for word in words]


def segments(text: str) -> Iterator[str]:
    """The words of a text, case-folded, stop words included; character pairs for scripts without spaces."""
    if text.isascii():
        folded, pattern = text.lower(), _ASCII_TOKEN
    else:
        folded, pattern = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'"), _TOKEN
    for match in pattern.finditer(folded):
        token = match[0]
        if match.lastgroup == "number":
            yield token.replace(",", "")[:_MAX_TERM]
        elif match.lastgroup == "unspaced":
            yield from _pairs(token)
        elif "'" in token or "_" in token:
            yield from _parts(token)
        else:
            yield token[:_MAX_TERM]


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """An English stem for ASCII words, other words unchanged. Cached: the stemmer is pure Python, 45 µs a word."""
    if len(word) < 3 or not word.isascii() or not word.isalpha():
        return word
    word = IRREGULAR.get(word, word)
    with _stemming:  # the stemmer keeps the word that it works on
        return str(_stemmer.stemWord(word))


def _is_stop(word: str) -> bool:
    return word in STOP_WORDS or word.endswith("n't")


def _pairs(run: str) -> Iterator[str]:
    if len(run) == 1:
        yield run
    for start in range(len(run) - 1):
        yield run[start : start + 2]


def _parts(token: str) -> Iterator[str]:
    """A word around its apostrophes: "ada's" is "ada", "don't" stays whole, "l'eau" is two words."""
    for piece in token.split("_"):
        if piece.endswith("n't"):
            yield piece[:_MAX_TERM]
            continue
        head, *rest = piece.split("'")
        yield from (part[:_MAX_TERM] for part in (head, *(part for part in rest if part not in _ENDINGS)) if part)
