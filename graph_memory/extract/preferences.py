"""Preferences that people state about themselves, read by a few rules: "call me Sam", "I prefer tea", "my time zone is CET".

Only plain statements in English count: questions, conditions, negations and quoted speech say nothing about the speaker. Secrets
are never taken. What the rules cannot see, a chat model can (`KeyValueMemory(model=...)`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

Extract = Callable[[str], Iterable[tuple[str, str]]]
"""Reads keys and values from what a person said."""

_LONGEST_VALUE = 80
_VALUE = rf"(?P<value>[^\s.,;:!?\n\"“”][^;!?\n\"“”]{{0,{_LONGEST_VALUE}}})"
_NAME = r"(?P<value>[^\W\d_][\w'’-]*(?: [A-Z][\w'’-]*){0,3})"

_CALL_ME = re.compile(
    rf"(?:^|[,;] ?|\b(?:please|just|can|could|to|and|but|so|should) )(?:you )?call me {_NAME}", re.IGNORECASE
)
_PREFER = re.compile(
    rf"\bI(?:['’]d)? (?:really |strongly |much |generally |usually |always )?prefer {_VALUE}", re.IGNORECASE
)
_TIME_ZONE = re.compile(
    rf"\b(?:my time ?zone is|I(?:['’]m| am) (?:in|on)(?: the)?(?= [\w/+:-]+ time ?zone)) {_VALUE}", re.IGNORECASE
)
_MY = re.compile(rf"\bmy (?P<thing>[^\W\d_][\w'’-]*(?: [^\W\d_][\w'’-]*){{0,3}}?) (?:is|are) {_VALUE}", re.IGNORECASE)

_SENTENCE = re.compile(r"(?:[^.!?\n]|\.(?=\w))+[.!?]*")
_NO_STATEMENT = re.compile(
    r"\?|\b(?i:if|unless|whether|when|suppose|imagine|pretend|would you|do you|don['’]t call|not call|used to)\b"
    r"|[\"“”]|\b(?:[Hh]e|[Ss]he|[Tt]hey|[A-Z]\w+) (?:said|says|told|asked)\b"
)
_NEGATED = re.compile(r"(?:not|no longer|never|n['’]t)\b", re.IGNORECASE)
_ENDS = re.compile(
    r"(?:,| \b(?:because|but|so|since|although|while|and (?:I|my|we|the|then))\b| [–—-] )", re.IGNORECASE
)
_OVER = re.compile(r" (?:over|to|rather than|instead of) (?!be\b|have\b|do\b|get\b|see\b)", re.IGNORECASE)
_NO_NAME_WORDS = """
a an the back later tomorrow today tonight at when if on in again maybe crazy asap anytime once after before by for this
that now soon whatever anything old stupid and or to from as with up out immediately monday tuesday wednesday thursday
friday saturday sunday
"""
_NO_THING_WORDS = """
question point problem issue guess plan idea opinion concern fear understanding bad mistake turn hope goal task answer
code error bug test build computer laptop impression assumption suggestion advice feeling pleasure worry thought only
main last next first biggest intention request
"""
_NO_NAME, _NO_THING = frozenset(_NO_NAME_WORDS.split()), frozenset(_NO_THING_WORDS.split())
_SECRET = re.compile(
    r"pass ?(?:word|code|phrase)|\bpins?\b|\bsecret|\btoken|\bkeys?\b|\bssn\b|social security|card|cvv|cvc|\biban\b|account"
    r" number|credential|licen[cs]e number",
    re.IGNORECASE,
)
_NO_VALUE = re.compile(
    r"(?:that|to|because|going|about|on|at|whether|why|how|what|getting|being|still|just|now)\b", re.IGNORECASE
)


def said_preferences(text: str) -> list[tuple[str, str]]:
    """Keys and values that the text states, in order; of a key that is stated twice, the last.

    "call me Sam" gives ("name", "Sam"), "I prefer tea to coffee" ("prefers tea", "over coffee"), "I prefer short answers"
    ("prefers short answers", "yes"), "my favourite colour is green" ("favourite colour", "green"), "my time zone is CET"
    ("time zone", "CET").
    """
    found: dict[str, str] = {}
    for sentence in _SENTENCE.findall(text[:100_000]):
        if not _NO_STATEMENT.search(sentence):
            for key, value in _stated(sentence.strip()):
                found.pop(key, None)
                found[key] = value
    return list(found.items())


def _stated(sentence: str) -> Iterator[tuple[str, str]]:
    if (match := _CALL_ME.search(sentence)) and match["value"].split()[0].casefold() not in _NO_NAME:
        yield "name", match["value"]
    for match in _PREFER.finditer(sentence):
        wanted, *other = _OVER.split(_trimmed(match["value"]), maxsplit=1)
        if wanted and not _NEGATED.match(wanted):
            yield f"prefers {wanted}", f"over {other[0]}" if other and other[0] else "yes"
    if match := _TIME_ZONE.search(sentence):
        yield "time zone", re.sub(r" time ?zone$", "", _trimmed(match["value"]), flags=re.IGNORECASE)
        return
    for match in _MY.finditer(sentence):
        thing, value = match["thing"].casefold(), _trimmed(match["value"])
        if _is_about_them(thing, value):
            yield thing, value


def _is_about_them(thing: str, value: str) -> bool:
    if not value or _SECRET.search(thing) or _NEGATED.match(value) or _NO_VALUE.match(value):
        return False
    return not _NO_THING.intersection(thing.split())


def _trimmed(value: str) -> str:
    """The value up to where another clause begins."""
    return _ENDS.split(value, maxsplit=1)[0].strip(" .,:'’")
