"""Rules for how English says that something changed, whatever it is: "my X is now Y", "Y replaced Z as my X", "from Z to Y",
"no longer", "back for good". Data; `claims` applies them after those of `rules`.

They lean on constructions, not on idioms: a frame of verb and preposition, a tense, and the type of what stands in its object.
"""

from __future__ import annotations

from graph_memory.extract.entities.grammar import AUX, HOME, LASTING, LONG, NEW, OLD, POSS, ROLE, SUBJECT, S, V
from graph_memory.extract.entities.lists import PARTNERS
from graph_memory.extract.entities.names import EMAIL, PHONE
from graph_memory.extract.entities.rules import Rule, rule
from graph_memory.extract.entities.text import NAME

_VALUE = rf"(?P<value>{EMAIL}|{PHONE}|(?:the\s+)?{NAME})(?!\w)"
_NOUN = r"(?P<name>[a-z][a-z-]+(?:\s(?:address|number|title|city|town))?)"
_BE = (
    r"(?P<aux>(?:(?:is|was|are|were|be|will|has|have|been|become|became|remains|not|no longer|now"
    r"|also|still|just)\s+)+)"
)
_HAVE = r"(?:have|has|had|got|found|am with|is with)"
_PRONOUN = (
    r"(?:(?:it|he|she|this|that) is\s+(?:at\s+|with\s+|in\s+)?|called\s+|named\s+|(?:his|her"
    r"|the) name is\s+|now\s+|at\s+|with\s+)*"
)
_DONE = r"(?:over|ended|finished|done|up|behind me|history|in the past|come to an end|came to an end|expired)"
_STAY = r"(?:for good|permanently|for ever|forever|to stay|indefinitely|this time for good)"
_STEP = r"(?:jump|move|switch|transition|change|leap|shift|transfer)"

CHANGE_SENTENCES: tuple[Rule, ...] = (
    rule("noun", rf"{S}{_HAVE}\s+(?:an?|my|his|her)\s+new\s+{_NOUN}(?:\s+now)?\W+{_PRONOUN}{_VALUE}"),
    rule(
        "employer",
        rf"{S}(?:\w+\s+){{0,2}}(?:offer|job)\s+from\s+{V}\s+and\s+(?:accepted|took|signed|said yes)",
        "event",
        "organization",
    ),
    rule(
        "home",
        rf"{S}\w+\s+(?:the|our|my|his|her)\s+(?:\w+\s+)?(?:{HOME})\s+in\s+{OLD}\s+and\s+(?:bought|found"
        rf"|rented|got|took)\s+(?:one|another|an?\s+\w+)\s+in\s+{V}",
        "event",
        "location",
    ),
    rule("value", rf"\b(?P<value>{EMAIL}|{PHONE})\s+(?:instead of|rather than|and not|not)\s+(?:{EMAIL}|{PHONE})"),
    rule(
        "partner",
        rf"{V} and (?P<subj>I)\s(?P<aux>(?:am|are|is|were|not|no longer)\s(?:\w+\s)*)(?:a couple|an item"
        r"|together)\b",
        "state",
        "person",
    ),
    rule("lasting home", rf"{S}(?:\w+\s+){{0,3}}?(?:in|to)\s+{V},?\s+(?:\w+\s+)?{_STAY}"),
    rule("noun", rf"{POSS}{NEW}{_NOUN}\s+used to be\s+{OLD}\W+(?:but\s+)?(?:now\s+|it is\s+)+{_VALUE}"),
    rule("noun", rf"^[Nn]ew\s+{_NOUN}\W+(?:it is\s+|is\s+)?(?:at\s+)?{_VALUE}"),
    rule("", rf"^{V} and (?P<subj>I)\s(?:have\s)?parted\b", "end"),
)
"""Rules that look at a whole sentence."""

CHANGE_CLAUSES: tuple[Rule, ...] = (
    # my X
    rule(
        "noun",
        rf"{POSS}{NEW}{_NOUN}\s+(?:has\s+|have\s+|just\s+|recently\s+)*(?:changed|switched|moved|became"
        rf"|becomes)\s+(?:from\s+\S+\s+)?(?:to\s+)?{_VALUE}",
    ),
    rule(
        "noun",
        rf"^{_VALUE}\s+{_BE}{POSS}{NEW}{_NOUN}(?=\s*(?:$|now\b|again\b|these days|anymore|any longer"
        r"|instead|since\b|from\b|as of\b|for\b))",
        "state",
    ),
    rule("noun", rf"{POSS}{NEW}{_NOUN}\s+(?:is|will be|became)\s+(?:now\s+|in\s+|at\s+|with\s+)*{_VALUE}", "state"),
    rule(
        "noun",
        rf"^{_VALUE}\s+(?:has\s+|have\s+|just\s+)*(?:replaced|succeeded|took over from|follows"
        rf"|followed)\s+{OLD}\s+as\s+{POSS}{NEW}{_NOUN}",
    ),
    rule("noun", rf"^{OLD}\s+(?:has been|was|got)\s+(?:replaced|succeeded)\s+by\s+{_VALUE}\s+as\s+{POSS}{NEW}{_NOUN}"),
    rule("noun", rf"^{_VALUE}\s+(?:has\s+|just\s+)*(?:took|taken)\s+over\s+as\s+{POSS}{NEW}{_NOUN}"),
    rule("noun", rf"{POSS}{NEW}{_NOUN}\s+(?:has been|was|got|is being)\s+replaced\s+(?:by|with)\s+{_VALUE}"),
    rule("value", rf"{S}(?:reached|contacted|available|reachable)\s+(?:at|on|under|via)\s+(?P<value>{EMAIL}|{PHONE})"),
    rule(
        "anything known",
        rf"^{V}\s+(?:has\s+|have\s+|just\s+|fully\s+)*replaced\s+{OLD}(?:\s+for (?P<subj>me|us|him|her))?",
    ),
    rule(
        "job",
        rf"{POSS}{NEW}(?:job\s+)?(?:title|position|role|occupation|profession)\s+(?:is|became|will be)\s+"
        rf"(?:now\s+)?(?:an?\s+|the\s+)?{ROLE}",
    ),
    # work
    rule(
        "place",
        rf"\b{SUBJECT}\s+(?P<aux>(?:(?:am|is|are|was|were|be|have|has|been|used to|not|no longer|now"
        rf"|currently|back|'s)\s+)+)(?:at|with)\s+{V}(?=\s*(?:$|anymore|any longer|now\b|these days|again"
        rf"|until|till|{LONG}))",
        "state",
    ),
    rule(
        "employer",
        rf"{S}(?:found|finds|have|has|got|took)\s+(?:an?|my|his|her|new|any)?\s*(?:\w+\s+)?(?:work|jobs?"
        rf"|employment)\s+(?:over\s+)?(?:at|with)\s+{V}",
        "state",
        "organization",
    ),
    rule(
        "employer",
        rf"\b(?:{POSS}|the\s+)(?:time|job|contract|stint|days|years|career|chapter|work)\s+(?:at"
        rf"|with)\s+{V}\s+(?:is|are|was|has|have)?\s*{_DONE}\b",
        "end",
        "organization",
    ),
    rule(
        "employer",
        rf"{S}(?:done|finished|through)\s+(?:with\s+)?working\s+(?:at|for|with)\s+{V}",
        "end",
        "organization",
    ),
    rule("employer", rf"{S}lost\s+(?:my|his|her)\s+(?:job|position|post)\s+(?:at|with)\s+{V}", "end", "organization"),
    rule(
        "employer",
        rf"{S}(?:quit|quitting|left|leaving|resigned from|gave up|given up|giving up)\s+(?:my|his|her"
        rf"|the)\s+(?:\w+\s+)?(?:job|position|post|role)\s+(?:at|with)\s+{V}",
        "end",
        "organization",
    ),
    rule(
        "employer",
        rf"{S}(?:part of|on)\s+(?:the\s+)?{V}(?:'s)?\s+(?:team|staff|payroll|crew)\b",
        "state",
        "organization",
    ),
    rule("employer", rf"{S}(?:an?|the newest|the latest)\s+{V}\s+(?:employee|staffer|hire)\b", "state", "organization"),
    rule("place", rf"{S}start(?:ed|ing|s)?\s+at\s+(?:the\s+)?{V}"),
    rule(
        "employer",
        rf"\b(?:fired|sacked|dismissed|laid off|let go|kicked)\s+(?P<subj>me|him|her|us|{NAME})\s+"
        rf"(?:off\s+|go\s+|out\s+)?(?:from|of)\s+{V}",
        "end",
        "organization",
    ),
    rule(
        "employer",
        rf"{S}start(?:ed|ing|s)?\s+(?:(?:in|on|with)\s+)?(?:an?|my|the|his|her)\s+(?:\w+\s+){{0,2}}(?:role"
        rf"|chapter|position|career|life|adventure|post)\s+(?:at|with)\s+{V}",
        "event",
        "organization",
    ),
    rule(
        "role at",
        rf"{S}(?:now\s+)?(?:an?|the)\s+(?:new\s+)?(?P<name>[a-z][\w-]*(?:\s(?!(?:at|for"
        rf"|with)\b)[a-z][\w-]*){{0,2}})\s+(?:at|for|with)\s+{V}",
        "state",
    ),
    rule("school", rf"{S}(?:an?|the)\s+(?:\w+\s+)?student\s+(?:at|of)\s+(?:the\s+)?{V}", "state", "organization"),
    rule(
        "job",
        rf"{S}(?:start(?:ed|ing)?|began|beginning)\s+(?:working|work|out|over)?\s*as\s+(?:an?\s+"
        rf"|the\s+)?{ROLE}",
    ),
    rule(
        "occupation",
        rf"{S}(?:appointed|named|elected|made|hired|promoted|took over|taken over|taking over)\s+(?:as\s+"
        rf"|to\s+)?(?:an?\s+|the\s+)?(?:new\s+)?{ROLE}",
    ),
    rule(
        "occupation",
        rf"{S}(?:went|moved|switched|changed|gone)\s+from\s+(?:an?\s+|being\s+an?\s+)?[a-z]+\s+to\s+"
        rf"(?:an?\s+|being\s+an?\s+)?{ROLE}",
    ),
    # home
    rule("lasting home", rf"{S}been\s+(?:living\s+)?in\s+{V}\s+(?:now\s+)?{LONG}"),
    rule(
        "home",
        rf"{S}(?:make|made|making)\s+{V}\s+(?:my|our|his|her|a)\s+(?:new\s+|permanent\s+)?(?:home|base)\b",
        "event",
        "location",
    ),
    rule("home", rf"{POSS}{NEW}(?:{HOME})\s+(?:is\s+|now\s+)+in\s+{V}", "state", "location"),
    rule(
        "home",
        rf"{S}(?:have|has|own|owns|rent|rents|got)\s+(?:an?|my|our|his|her)\s+(?!(?:holiday|summer"
        rf"|vacation|second|weekend|beach))(?:\w+\s+)?(?:{HOME})\s+in\s+{V}(?=\s*(?:$|now|these days"
        r"|since))",
        "state",
        "location",
    ),
    rule(
        "home",
        rf"{S}(?:an?|become an?|the)\s+(?:\w+\s+)?(?:resident|inhabitant|citizen)\s+of\s+{V}",
        "state",
        "location",
    ),
    rule(
        "home",
        rf"{S}(?:went|gone|came|come|going|decided|chose)\s+(?:back\s+)?to\s+live\s+in\s+{V}",
        "event",
        "location",
    ),
    rule(
        "home",
        rf"{S}(?:moved|moving)\s+(?:my|our|his|her|the)\s+(?:\w+\s+)?(?:life|family|household|things|stuff"
        rf"|belongings)\s+(?:over\s+)?to\s+{V}",
        "event",
        "location",
    ),
    rule("home", rf"{S}(?:moved?|moving)\s+in\s+with\s+(?:\S+\s+){{1,3}}?in\s+{V}", "event", "location"),
    rule("", rf"{S}(?:left|moved (?:away|out) (?:from|of))\s+{V}\s+{_STAY}", "end"),
    # whom somebody is with
    rule("partner", rf"{POSS}(?:new\s+)?ex(?:-?\s?(?:{'|'.join(sorted(PARTNERS))}))?,?\s+{V}", "end", "person"),
    rule("partner", rf"^{V}\s+{_BE}{POSS}ex\b", "end", "person"),
    rule("partner", rf"{S}(?:filed for (?:a )?divorce|got a divorce|getting a divorce)\s+from\s+{V}", "end", "person"),
    rule(
        "partner",
        rf"\b{SUBJECT}\s+(?P<aux>(?:(?:am|is|are|now|back|have|has|been)\s+)+)with\s+{V}\s+(?:now"
        r"|these days|again)\s*$",
        "state",
        "person",
    ),
    rule("partner", rf"{S}(?:got|get|gotten)\s+(?:back\s+)?together\s+with\s+{V}\s*$", "event", "person"),
    rule(
        "partner",
        rf"{S}(?:ended|broken off|broke off|called off)\s+(?:it|things|our engagement|the engagement"
        rf"|our relationship|the relationship)\s+with\s+{V}",
        "end",
        "person",
    ),
    rule(
        "partner",
        rf"{S}(?:tied the knot|got hitched|engaged|in love)\s+(?:with|to)\s+{V}\s*(?:$|now|last|in|this)",
        "event",
        "person",
    ),
    rule("manager", rf"{S}(?:work|works|working)\s+under\s+{V}", "state", "person"),
    rule("manager", rf"^{V}\s+(?:now\s+)?manages\s+(?P<subj>me|us|him|her)\b", "state", "person"),
    rule("", rf"^{V}\s+(?:has\s+|just\s+|sadly\s+)*(?:passed away|died)\b", "end"),
    # what is counted
    rule(
        "age",
        r"\b(?P<subj>I|we|he|she|"
        + NAME
        + r")\s+"
        + AUX
        + r"(?:celebrated|had|having|celebrating|hit|reached)\s+(?:my\s+|his\s+|her\s+)?(?P<value>\d{1,3})"
        r"(?:st|nd|rd|th)\s+birthday",
    ),
    rule(
        "age",
        rf"{POSS}(?P<value>\d{{1,3}})(?:st|nd|rd|th)\s+birthday\s+(?:is|was)\s+(?:today|yesterday|last|on"
        r"|this)",
    ),
    # from one to another
    rule(
        "anything",
        rf"{S}(?:made|make|making|completed|finished)\s+(?:the|my|our|his|her|a)\s+{_STEP}\s+(?:over\s+)?"
        rf"(?:from\s+{OLD}\s+)?to\s+{V}",
    ),
    rule("anything", rf"{S}(?:went|gone|go|going)\s+(?:over\s+)?from\s+{OLD}\s+to\s+{V}{LASTING}"),
    rule(
        "employer",
        rf"{S}(?:returned|went back|gone back|going back|returning)\s+to\s+(?:work (?:at"
        rf"|for)\s+)?{V}{LASTING}",
        "event",
        "organization",
    ),
    rule("anything known", rf"{S}(?:prefer|prefers|preferring)\s+{V}\s+(?:over|to)\s+{OLD}"),
    rule(
        "anything known",
        rf"{S}(?:adopted|embraced|settled on|moved\s+(?:over\s+|on\s+)?to|came over to|chose|opted for"
        rf"|back\s+(?:on|to)|on)\s+{V}",
    ),
    rule(
        "school",
        rf"{S}(?:attend|attends|attending|admitted to|accepted (?:at|to|into))\s+(?:the\s+)?{V}",
        "state",
        "organization",
    ),
    rule(
        "school",
        rf"{S}(?:finished|completed)\s+(?:my|his|her)\s+(?:degree|studies|course|master's|bachelor's"
        rf"|phd)\s+at\s+(?:the\s+)?{V}",
        "end",
        "organization",
    ),
    rule("favourite team", rf"{S}(?:an?)\s+{V}\s+(?:fan|supporter)\b", "state"),
    # what is over, whatever it was
    rule(
        "",
        rf"{S}(?:part(?:ed|ing)?(?:\s+ways)?|walked|split)\s+(?:away\s+|out\s+)?(?:from|with|on"
        rf"|of)\s+{V}\s*(?:$|in\b|last\b|after\b|for good)",
        "end",
    ),
    rule("", rf"^{V}\s+is\s+(?:now\s+)?(?:history|behind me|a thing of the past)\b", "end"),
    rule("", rf"{S}(?:not|no longer|stopped)\s+being\s+(?P<value>[a-z-]+)", "end"),
)
"""Rules that look at one clause; those of `rules` come first."""
