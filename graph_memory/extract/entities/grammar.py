"""The pieces of the rules: subjects, owners, auxiliaries, names; and how relatives and other names are told. Data."""

from __future__ import annotations

import re

from graph_memory.extract.entities.lists import KIN as RELATIONS
from graph_memory.extract.entities.text import NAME, WORD

KIN = "|".join(sorted(RELATIONS, key=len, reverse=True))
SHORT_NAME = rf"{WORD}(?:\s+{WORD}){{0,2}}"
WHO = rf"I|me|we|us|he|him|she|her|(?:my|our|his|her)\s+(?:\w+\s+)?(?:{KIN})(?:,?\s+{SHORT_NAME}\b,?)?|{NAME}"
SUBJECT = rf"(?P<subj>{WHO})"
ADVERBS = (
    "just|now|currently|recently|finally|officially|actually|still|also|both|already|then|since|happily|basically|only|again"
    "|soon|all|so|to|[a-z]+ly"
)
AUXILIARIES = (
    "am|is|are|was|were|be|been|being|have|has|had|having|do|does|did|will|would|shall|should|could|can|may|might|must|used to"
    "|going to|gonna|about to|not|never|no longer|got|get|getting|'s|ended up|end up|decided to|managed to|happened to|stopped"
)
AUX = rf"(?P<aux>(?:(?:{AUXILIARIES}|{ADVERBS})\s+)*)"
S = rf"(?:\b{SUBJECT}(?:\s+|(?='s\s))|^(?=\w)){AUX}"
V = rf"(?P<value>(?:the\s+)?{NAME})(?!\w)"
OLD = rf"(?P<old>(?:the\s+)?{NAME})(?!\w)"
POSS = rf"\b(?P<poss>my|our|his|her|{NAME}'s)\s+"
IS = r"(?:is|has become|will be|became)\s+(?:now\s+|called\s+|named\s+|at\s+|with\s+)*"
BACK = (
    r"(?:(?:back|over|down|up|out|away|house|home|permanently|recently|across|jobs|companies|straight|all the way)\s+)*"
)
AFTER_ROLE = "at|in|for|with|of|and|now|by|on|since|who|these|again|last|next|this|after|from"
ROLE = rf"(?P<value>[a-z][\w-]*(?:\s(?!(?:{AFTER_ROLE})\b)[a-z][\w-]*){{0,3}})"
HOME = "flat|apartment|house|place|home|condo|studio|cottage|bungalow"
BOSS = r"(?:line\s+)?(?:boss|manager|supervisor)"
MAIL = r"(?:e-?mail|mail)(?:\s+address)?"
TEL = r"(?:(?:tele|mobile |cell |cell)?phone|mobile|cell)?\s?(?:number|no\.)"
NEW = r"(?:(?:new|current|latest|own|work|private|personal|best|dear|little|older|younger|big|late)\s+)*"
THIRD = WHO.removeprefix("I|me|we|us|")
_NOT_LIKED = (
    "it|that|this|you|to|how|all|each|being|is|was|in|what|your|my|our|his|her|their|these|those|the|an?|when|so|such|one"
    "|them|him|me|us|and|with|for"
)
LIKED = (
    rf"(?P<value>(?!(?:{_NOT_LIKED})\b)[\w-]+(?:\s(?!(?:in|with|for|at|on|of|and|so|too|as|now|lately|because|when|is|was)\b)[\w-]+)"
    r"{0,2})"
)
LONG = (
    r"(?:since\s+(?:last|January|February|March|April|May|June|July|August|September|October|November"
    r"|December|\d{4}|the)|for\s+(?:\S+\s+){0,3}(?:months?|years?|decades?))"
)
LASTING = (
    r"(?=\s*(?:$|now\b|again\b|last\b|this (?:week|month|year|spring|summer|autumn|fall|winter)\b|these days|recently|instead"
    r"|in\s+(?:the\s+)?(?:\d{4}|[A-Z]|spring|summer|autumn|fall|winter)|since\b"
    r"|after\b|(?:\S+\s+){1,2}(?:weeks?|months?|years?) ago))"
)
"""What may follow a weak verb ("went back to Acme in May") when it tells of a change; "by train" and "for a meeting" do not."""

NAMED_KIN = re.compile(
    rf"{POSS}{NEW}(?P<kin>{KIN})(?:\s+(?:is\s+)?(?:called|named)|,|'s name is|\s+is)?\s+(?P<name>{SHORT_NAME})"
)
IS_KIN = re.compile(rf"(?P<name>{SHORT_NAME})\s+is\s+{POSS}{NEW}(?P<kin>{KIN})\b")
APPOSED = re.compile(rf"(?P<name>{SHORT_NAME}), {POSS}{NEW}(?P<kin>{KIN}),")
MY_NAME = re.compile(rf"\b(?:my name is|call me|I go by|I am called)\s+(?P<name>{SHORT_NAME})")
I_AM = re.compile(rf"\bI am\s+(?P<name>{SHORT_NAME})")
ALSO_KNOWN = re.compile(
    rf"(?P<one>{SHORT_NAME}),?\s+(?:aka|a\.k\.a\.|also known as|also called|known as|or just)\s+(?P<other>{SHORT_NAME})"
)
