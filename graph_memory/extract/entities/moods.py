"""Whether a sentence means what it says, whether what it says is over, and since when. Pure, English.

What is asked, supposed, wished, planned or told of a story is not believed.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from graph_memory.context.times import DAYS, absolute_times, relative_times
from graph_memory.extract.entities.rules import Rule

_SUPPOSED = re.compile(
    r"\b(?:if|unless|whether|in case|as if|as though|wish(?:es|ed)?|would|could|should|might|maybe|perhaps|possibly|probably"
    r"|hop(?:e|es|ing)|wants?|wanted|wanting|dream(?:s|t|ed|ing)?|imagin(?:e|ed|ing)|suppos(?:e|ed|ing)|pretend(?:s|ed|ing)?"
    r"|consider(?:s|ed|ing)?|think(?:ing)? (?:about|of)|thought (?:about|of)|plan(?:s|ned|ning)? (?:to|on)|appl(?:y|ied|ying)"
    r"|interview(?:s|ed|ing)?|offered|almost|nearly|tempted|some\s?day|one day|tried|trying|try|jok(?:e|es|ing)|kidding|like to"
    r"|rather(?! than)|supposed to|as a child|let us|let's|rumou?rs?)\b",
    re.IGNORECASE,
)
_FICTION = re.compile(
    r"\bin (?:the|my|this|that|an?) (?:\w+ )?(?:novel|book|story|film|movie|game|dream|play|series|episode|chapter|song|scene)\b",
    re.IGNORECASE,
)
_CONDITION = re.compile(r"\b(?:if|unless|whether|as if|as though)\b", re.IGNORECASE)
_GERUND = re.compile(r"^\w+ing\b.*\b(?:is|was|must|sounds?|seems?|looks?|feels?|has|pays)\b", re.IGNORECASE)
_ONCE = re.compile(r"^(?:\w+ )?(?:when|until|back when|as long as|the time|till|whenever|once)\b", re.IGNORECASE)
_TAG = re.compile(
    r"(?P<statement>.+),\s*(?:right|remember|you know|huh|eh|can you (?:believe|imagine) (?:it|that)|did you (?:hear|know)"
    r"|(?:do|does|did|is|are|was|were|has|have|will|can) (?:not )?(?:I|you|he|she|it|we|they))\s*\?+!?$"
)
_ASKS = re.compile(
    r"(?:do|does|did|is|are|am|was|were|has|have|will|can|could|would|should|who|what|when|where|why|how|which)\b",
    re.IGNORECASE,
)
_FUTURE = re.compile(
    r"\b(?:will|shall|going to|gonna|about to|soon|from next|next|tomorrow|starting|as of)\b", re.IGNORECASE
)
_SINCE = re.compile(
    r"\b(?:since|for|from|in|on|last|next|this|starting|as of|ago|yesterday|tomorrow|today)\b", re.IGNORECASE
)
_NO_MORE = re.compile(
    r"\b(?:have|has) not (?:worked|lived|used|been|dated|seen)\b.*"
    r"\b(?:since|in (?:years|months|ages)|for (?:\w+ )?(?:years|months))\b"
)
_WEEKDAY = re.compile(rf"\b({'|'.join(DAYS)})\b", re.IGNORECASE)


def is_meant(sentence: str) -> bool:
    """Whether a sentence speaks of what is: no fiction, no condition."""
    return not _FICTION.search(sentence) and not _CONDITION.search(sentence)


def is_supposed(clause: str) -> bool:
    """Whether a clause only supposes, wishes or plans."""
    return bool(_SUPPOSED.search(clause))


def is_setting(clause: str) -> bool:
    """Whether a clause only says when something else was, or speaks of doing something in general."""
    return bool(_ONCE.match(clause) or _GERUND.match(clause))


def stated(question: str) -> str:
    """What a question states before its tag ("…, can you believe it?"); "" when it only asks."""
    match = _TAG.match(question)
    return match["statement"] if match and not _ASKS.match(match["statement"]) else ""


def is_over(rule: Rule, aux: str, text: str) -> bool | None:
    """Whether what a rule read is over; None when it was not claimed at all.

    Args:
        rule: what matched.
        aux: the auxiliaries and adverbs before its verb, with a space at each end.
        text: the clause.
    """
    if rule.tense == "state" and _NO_MORE.search(f"{aux}{text}"):
        return True
    if re.search(r" (?:never|will not|did not|have not|has not) ", aux):
        return None
    negated = bool(re.search(r" (?:not|no longer|stopped) ", aux))
    if rule.tense == "end":
        return None if negated else True
    if negated:
        return True if rule.tense == "state" else None
    if " used to " in aux:
        return True
    return rule.tense == "state" and _is_past(aux, text)


def _is_past(aux: str, text: str) -> bool:
    past = re.search(r" (?:was|were|had) ", aux) or re.search(r"\b(?:worked|lived|resided)\b", text)
    return bool(past) and not re.search(r" (?:have|has) ", aux)


def holds_from(text: str, aux: str, said_at: datetime, *, is_end: bool) -> datetime | None:
    """From when on it holds, or no longer holds, as far as the clause says; midnight UTC of that day."""
    if not _SINCE.search(text) and not _WEEKDAY.search(text):
        return None
    said = said_at.date()
    ahead = bool(_FUTURE.search(text)) or (bool(re.search(r" (?:am|is|are|be) (?:\w+ )*$", aux)) and not is_end)
    if ahead and (match := _WEEKDAY.search(text)):
        days = (DAYS[match[1].lower()] - said.weekday()) % 7 or 7
        return datetime.combine(said, time(), UTC) + timedelta(days=days)
    years = (said.year, said.year + 1) if ahead else (said.year, said.year - 1)
    found = [*absolute_times(text, years)[0], *relative_times(text, said.toordinal())]
    days_of = [
        first for first, _ in found if (first > said.toordinal()) == ahead and 1 <= first <= date.max.toordinal()
    ]
    if not days_of:
        return None
    return datetime.combine(date.fromordinal(min(days_of) if ahead else max(days_of)), time(), UTC)
