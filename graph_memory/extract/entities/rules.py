"""The rules by which claims are read: one pattern a way of saying something. Data; `claims` applies them.

`S` stands for a subject with what stands before its verb, `V` for a name, `POSS` for an owner. A rule's `tense` says
what its verb means: a "state" holds while it is in the present, an "event" made it so, an "end" made it so no longer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from graph_memory.extract.entities.grammar import (
    AUX,
    BACK,
    BOSS,
    HOME,
    IS,
    LIKED,
    MAIL,
    NEW,
    OLD,
    POSS,
    ROLE,
    SUBJECT,
    TEL,
    THIRD,
    S,
    V,
)
from graph_memory.extract.entities.lists import DIETS, PARTNERS
from graph_memory.extract.entities.names import DATE, EMAIL, PHONE
from graph_memory.extract.entities.text import NAME

Tense = Literal["state", "event", "end"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One way of saying something.

    Attributes:
        slot: the attribute; "tool" is told by the tool, "anything" by what is known of the value.
        pattern: with the groups value, subj, aux, poss, old (what the value replaces), name (of the slot) where they apply.
        tense: what the verb means.
        value_type: entity type of the value; "" when it is none.
        single: whether a person has one such value at a time.
        reversed: the value is the subject and the subject the value.
    """

    slot: str
    pattern: re.Pattern[str]
    tense: Tense = "event"
    value_type: str = ""
    single: bool = True


def rule(slot: str, pattern: str, tense: Tense = "event", kind: str = "", *, single: bool = True) -> Rule:
    """A rule with its pattern compiled."""
    return Rule(slot, re.compile(pattern), tense, kind, single)


def _employer(pattern: str, tense: Tense = "event") -> Rule:
    return rule("employer", pattern, tense, "organization")


def _home(pattern: str, tense: Tense = "event") -> Rule:
    return rule("home", pattern, tense, "location")


def _partner(pattern: str, tense: Tense = "state") -> Rule:
    return rule("partner", pattern, tense, "person")


SENTENCE_RULES = (
    _partner(
        rf"{V} and (?P<subj>I|me)\s{AUX}(?:got |get )?(?:married|engaged|dating|together|a couple|tied the knot)\b"
    ),
    _partner(
        rf"{V} and (?P<subj>I|me)\s{AUX}(?:got )?(?:divorced?|broke up|broken up|split(?: up)?|separated?|parted|not together"
        r"|called it quits)\b",
        "end",
    ),
    _partner(rf"\b(?:over|finished|done) between {V} and (?P<subj>me|us)\b", "end"),
    _partner(rf"\b(?:over|finished|done) between (?P<subj>me|us) and {V}", "end"),
    rule("e-mail", rf"{S}(?:have|has|a|got)\s+(?:an?\s+|my\s+)?new\s+{MAIL}\W+(?P<value>{EMAIL})"),
    rule("phone", rf"{S}(?:have|has|a|got)\s+(?:an?\s+|my\s+)?new\s+{TEL}\W*?\s(?P<value>{PHONE})"),
    rule("home", rf"{POSS}{NEW}address {IS}(?P<value>[\w .,'/-]{{4,80}})", "state"),
)
"""Rules that look at a whole sentence, because its conjunctions and commas belong to what they match."""

CLAUSE_RULES = (
    # where somebody works
    _employer(
        rf"{S}(?:works?|working)\s+(?:over |out |full-time |part-time |again )*(?P<with>at|for|with)\s+{V}", "state"
    ),
    _employer(rf"{S}worked\s+(?:over |full-time |part-time )*(?P<with>at|for|with)\s+{V}", "state"),
    _employer(
        rf"\b{SUBJECT}\s+(?P<aux>(?:(?:am|is|are|have|has|been|now|currently)\s+)+)(?:over\s+|back\s+)?(?:at|with)\s+{V}"
        r"(?=.*\b(?:now|since|for|these days)\b|$)",
        "state",
    ),
    _employer(
        rf"{S}(?:start(?:s|ed|ing)?|begins?|began|beginning)\s+(?:(?:working|work|a|my|the|new|job|role|position|over)\s+)*(?P<with>at|with|for)\s+"
        rf"(?!(?:the\s+)?(?:\w+\s)*(?:University|College|School|Academy|Institute)\b){V}"
    ),
    _employer(rf"{S}(?:join(?:s|ed|ing)?|sign(?:ed|ing)(?: on| up)?\s+with)\s+{V}"),
    _employer(
        rf"{S}(?:land(?:ed|ing)?|took|taken|taking|accept(?:ed|ing)?|found|start(?:ed|ing)|have|has)\s+(?:an?|the|my|our|his|her)?\s*"
        rf"(?:\w+\s+){{0,3}}?(?:job|role|position|post|gig|offer|internship)\s+(?:at|with|from)\s+{V}"
    ),
    _employer(rf"{S}(?:an?|the|my)\s+(?:\w+\s+){{0,2}}?(?:job|role|position|post|internship)\s+(?:at|with)\s+{V}"),
    _employer(rf"{S}(?:hired|employed|recruited|poached|headhunted)\s+(?:by|at)\s+{V}"),
    _employer(
        rf"^{V}\s+(?:has\s+|have\s+|just\s+|finally\s+)*(?:hired|recruited|poached|headhunted|employs)\s+{SUBJECT}"
    ),
    _employer(rf"{POSS}{NEW}(?:employer|company|workplace|job)\s+{IS}{V}", "state"),
    _employer(rf"{POSS}first (?:day|week|month) (?:at|with)\s+{V}"),
    _employer(
        rf"^{V}\s+(?:has\s+|have\s+|just\s+)*(?:let {SUBJECT} go"
        r"|laid (?P<obj>me|him|her|us) off|fired (?P<obj2>me|him|her|us)|sacked (?P<obj3>me|him|her|us))",
        "end",
    ),
    _employer(
        rf"{S}(?:resign(?:ed)?|retired?|fired|laid off|let go|sacked|made redundant)\s+(?:from|by|at)\s+{V}", "end"
    ),
    rule(
        "employer",
        rf"{S}(?:resigned|retired|unemployed|between jobs|jobless|(?:quit|lost) (?:my|his|her) job)"
        r"(?P<value>)\s*(?:$|now|again|last|today|in\b|on\b)",
        "end",
    ),
    _employer(rf"{S}(?:took|taken|taking|accept(?:ed|ing)?)\s+the\s+{V}\s+(?:offer|job|position|role)"),
    _employer(rf"\b(?:{POSS})?last (?:day|week|month) (?:at|with)\s+{V}", "end"),
    rule("job", rf"{S}retired(?P<value>)\s*(?:$|now|last|today|after|in\b|on\b)", "end"),
    # where somebody lives
    _home(rf"{S}(?:renting|rent|moved in with \w+)\s+in\s+{V}"),
    _home(rf"{S}(?:an?|become an?)\s+{V}\s+(?:resident|local|inhabitant)\b", "state"),
    _home(rf"{S}(?:sold|left|g[ai]ven? up|gave up)\s+(?:the|our|my|his|her)\s+(?:\w+\s+)?(?:{HOME})\s+in\s+{V}", "end"),
    _home(
        rf"{S}(?:lives?|living|resides?|residing|based|located)\s+(?:down |now |here |happily |right )*"
        rf"(?:in|at|near|outside)\s+{V}",
        "state",
    ),
    _home(rf"{S}(?:lived|resided)\s+(?:in|at|near)\s+{V}", "state"),
    _home(rf"{S}(?:settl(?:ed|ing)|resettled)\s+(?:down\s+)?(?:in|near)\s+{V}"),
    _home(rf"{S}stay(?:ed|ing|s)?\s+in\s+{V}\s+(?:for good|permanently|for ever|forever)"),
    _home(
        rf"{S}(?:mov(?:ed?|es|ing)|relocat(?:ed?|es|ing)|emigrat(?:ed|ing)|immigrated|migrated)\s+{BACK}(?:from\s+{OLD}\s+)?{BACK}(?:to|into|in)\s+{V}"
    ),
    _home(
        rf"{S}(?:bought|buying|found|rented|rent|renting|closed on|moved into|keys to|keys for|the keys to|the keys for)\s+"
        rf"(?:an?|the|our|my|his|her)?\s*(?!(?:holiday|summer|vacation|second|weekend))(?:\w+\s+){{0,2}}?(?:{HOME})\s+in\s+{V}"
    ),
    _home(rf"{POSS}new (?:{HOME})\s+(?:is\s+)?in\s+{V}", "state"),
    _home(
        rf"^{V}\s+(?:is|has been|became|has become)\s+(?:(?P<poss>my|our|his|her)\s+(?:new\s+)?)?home\b(?!\s+to)",
        "state",
    ),
    _home(rf"(?:^|{POSS}{NEW})home is\s+(?:now\s+)?(?:in\s+)?{V}", "state"),
    _home(rf"{S}(?:call|calling)\s+{V}\s+(?:my |our )?home\b", "state"),
    _home(rf"{S}start(?:ed|ing)\s+(?:over|afresh|anew|again)\s+in\s+{V}"),
    rule("origin", rf"{S}(?:come |comes |originally )*from\s+{V}(?:\s+originally)?$", "state", "location"),
    # whom somebody is with
    _partner(rf"{S}(?:married|engaged)\s+to\s+{V}"),
    _partner(rf"{S}married\s+{V}", "event"),
    _partner(rf"{S}(?:dating|seeing|going out with|in a relationship with)\s+{V}"),
    _partner(rf"{POSS}{NEW}(?:{'|'.join(PARTNERS)})\s+{IS}{V}"),
    _partner(rf"^{V}\s+{IS}(?P<poss>my|our|his|her|{NAME}'s)\s+{NEW}(?:{'|'.join(PARTNERS)})\b"),
    _partner(
        rf"{S}(?:brok(?:e|en) up with|split(?: up)? (?:with|from)|divorced(?: from)?|dumped|separated from)\s+{V}",
        "end",
    ),
    _partner(rf"^{V}\s{AUX}(?:left|dumped|divorced)\s+{SUBJECT}$", "end"),
    rule("partner", rf"{S}(?:single|divorced|widowed)(?P<value>)\s*(?:$|now|again|last|in\b)", "end"),
    # what is one of a kind
    rule(
        "age",
        rf"\b{SUBJECT}\s+(?P<aux>(?:(?:am|is|are|now|already)\s+)+)(?P<value>\d{{1,3}})(?:\s+years?\s+old|\s+now|\s+today|\s+already|\s*$)",
        "state",
    ),
    rule("age", rf"{S}turn(?:ed|s|ing)?\s+(?P<value>\d{{1,3}})(?=\s|$)"),
    rule("birthday", rf"{POSS}birthday\s+is\s+(?:on\s+)?(?:the\s+)?(?P<value>{DATE.pattern})", "state"),
    rule("birthday", rf"{S}born\s+(?:on|in)\s+(?:the\s+)?(?P<value>{DATE.pattern}|(?:19|20)\d\d\b)"),
    rule("e-mail", rf"{POSS}{NEW}{MAIL}\s+{IS}(?P<value>{EMAIL})", "state"),
    rule(
        "e-mail",
        rf"\b(?:reach|contact|e-?mail|write(?: to)?|mail)\s+(?P<subj>me|us|him|her)\s+(?:at|on|via|under)\s+(?P<value>{EMAIL})",
    ),
    rule("e-mail", rf"^(?:please\s+)?(?:use|write to)\s+(?P<value>{EMAIL})\s+(?:from now on|instead|now|for me)"),
    rule("e-mail", rf"{S}(?:changed|updated|switched)\s+my\s+{MAIL}\s+to\s+(?P<value>{EMAIL})"),
    rule("phone", rf"{POSS}{NEW}{TEL}\s+{IS}(?P<value>{PHONE})", "state"),
    rule(
        "phone", rf"\b(?:call|phone|reach|ring|text)\s+(?P<subj>me|us|him|her)\s+(?:at|on|under)\s+(?P<value>{PHONE})"
    ),
    rule("phone", rf"{S}(?:changed|updated|switched)\s+my\s+{TEL}\s+to\s+(?P<value>{PHONE})"),
    rule("manager", rf"{POSS}{NEW}{BOSS}\s+{IS}{V}", "state", "person"),
    rule("manager", rf"^{V}\s+{IS}(?P<poss>my|our|his|her|{NAME}'s)\s+{NEW}{BOSS}\b", "state", "person"),
    rule("manager", rf"{S}(?:report|reports|reporting)\s+to\s+{V}", "state", "person"),
    rule(
        "manager",
        rf"^{V}\s+took over\s+(?:from\s+{OLD}\s+)?as\s+(?P<poss>my|our|his|her)\s+{BOSS}\b",
        "event",
        "person",
    ),
    rule("manager", rf"{S}(?:a|have a|has a|got a)\s+new\s+{BOSS}\W+{V}", "event", "person"),
    rule(
        "school",
        rf"{S}(?:study|studies|studying|enrolled|enroll?)\s+(?:\w+\s+)?(?:at|in)\s+(?:the\s+)?{V}",
        "state",
        "organization",
    ),
    rule(
        "school",
        rf"{S}(?:go|goes|going|went|got into|into)\s+(?:to\s+)?(?:the\s+)?"
        rf"(?P<value>(?=[\w' ]*\b(?:University|College|School|Institute|Academy)\b){NAME})",
        "event",
        "organization",
    ),
    rule(
        "school",
        rf"{S}(?:do|does|doing|pursuing|start(?:ed|ing)?)\s+(?:an?|my|his|her)\s+(?:master's|masters|phd|degree|bachelor's"
        rf"|doctorate|mba|studies)\s+(?:at|in)\s+{V}",
        "event",
        "organization",
    ),
    rule("diet", rf"{S}(?:went\s+|gone\s+|turned\s+|became\s+|become\s+|a\s+)*(?P<value>{DIETS})\b", "state"),
    rule("diet", rf"{S}(?:eat|eats|eating)\s+(?:meat|fish|everything)(?P<value>)\s+(?:again|now)", "end"),
    rule("job", rf"{S}(?:works?|working)\s+as\s+(?:an?|the)\s+(?:new\s+)?{ROLE}", "state"),
    rule(
        "job",
        rf"{S}(?:became|become|becomes|promoted to|hired as|retrained as|qualified as)\s+(?:an?\s+|the\s+)?(?:new\s+)?{ROLE}",
    ),
    rule("job", rf"^they (?:have\s+)?made (?P<subj>me|him|her)\s+(?:an?\s+|the\s+)?{ROLE}"),
    rule("occupation", rf"{S}(?:now\s+)?(?:an?|the)\s+(?:new\s+)?{ROLE}", "state"),
    # tools
    rule("tool", rf"{S}(?:us(?:e|es|ing)|run|runs|running|started using|start using|write|writes)\s+{V}", "state"),
    rule("tool", rf"{POSS}{NEW}(?:machine|laptop|computer|phone|desktop|pc)\s+(?:now\s+)?(?:runs|uses)\s+{V}", "state"),
    rule("tool", rf"{S}(?:an?)\s+{V}\s+(?:user|convert|person)\b", "state"),
    # from one to another, whatever it is
    rule(
        "anything",
        rf"{S}(?:switch(?:ed|es|ing)?|moved on|migrated|chang(?:ed|es|ing)|went over|gone over|transferred|converted)\s+{BACK}"
        rf"(?:from\s+{OLD}\s+)?to\s+{V}",
    ),
    rule("anything", rf"{S}(?:left|leaving|quit|ditched|dropped|swapped|traded)\s+{OLD}\s+for\s+{V}"),
    rule("anything", rf"{S}(?:replaced)\s+{OLD}\s+(?:with|by)\s+{V}"),
    # what is over, whatever it was
    rule(
        "",
        rf"{S}(?:left|leave|leaving|quit|quitting|drop(?:ped|ping) out of|graduated from|moved (?:out|away) (?:of|from)"
        r"|parted ways with|(?:waved|said) goodbye to|done with|handed in (?:my|his|her) (?:notice|resignation) at"
        r"|stopped (?:using|working (?:at|for)|living in)"
        rf"|g[ai]ven? up|gave up|ditched|abandoned|got rid of|uninstalled)\s+{V}"
        r"(?!'s|\s+(?:early|late|alone|at (?:\d|the|an?)\b|in the (?!end)|this (?:morning|afternoon|evening)|tonight"
        r"|for (?:an?|the|two|three|some|lunch|good reason)\b|to (?:see|visit|go|pick)))",
        "end",
    ),
    rule("", rf"\bno more\s+{V}", "end"),
    # what there may be many of
    *(
        rule(slot, rf"\b(?P<subj>{who})\s+{AUX}(?:{verbs})\s+{LIKED}", "state", single=False)
        for slot, who, verbs in (
            ("likes", "I|we", "like|love|adore|enjoy"),
            ("likes", THIRD, "likes|loves|adores|enjoys"),
            ("dislikes", "I|we", "hate|dislike|detest"),
            ("dislikes", THIRD, "hates|dislikes|detests"),
        )
    ),
    rule("allergy", rf"{S}allergic to\s+(?P<value>[\w-]+(?:\s[\w-]+)?)", "state", single=False),
    rule("knows", rf"{S}(?:knows?|met|befriended|friends with)\s+{V}", "event", "person", single=False),
    rule(
        "favourite",
        rf"{POSS}favou?rite\s+(?P<name>[a-z]+(?:\s[a-z]+)?)\s+{IS}(?P<value>[\w'-]+(?:\s(?!now\b|these\b|at\b)[\w'-]+){{0,3}})",
        "state",
    ),
    rule(
        "favourite",
        rf"^(?P<value>[\w'-]+(?:\s[\w'-]+){{0,2}}?)\s+{IS}(?P<poss>my|his|her)\s+(?:new\s+)?favou?rite\s+(?P<name>[a-z]+)",
        "state",
    ),
    rule("favourite team", rf"{S}supports?\s+{V}", "state"),
    rule("named", rf"{POSS}(?:new\s+)?(?P<name>[a-z]+(?:\s[a-z]+)?)\s+{IS}(?P<value>{NAME})", "state"),
)
"""Rules that look at one clause; of those that read the same slot in a clause the first counts."""
