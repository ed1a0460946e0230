"""Reading people and things out of messages by rules, without a model.

People, organisations, places, e-mail addresses, phone numbers, urls, dates, whatever a user gives patterns for, and
simple facts in English. Other languages give addresses, numbers, and names that a user lists; nothing is guessed.
Questions, hypotheses, quotations and fiction are not believed. A model gives the same values by `schema`. Rules
are a beginning, not a reader: of changes worded in ways that they were not written for they recognise about half when the
wording is plain and a sixth when it is idiomatic, and up to one statement in ten that changes nothing is taken for a change
(`benchmarks/entities.py`).
"""

from __future__ import annotations

from graph_memory.extract.entities.claims import claims_in
from graph_memory.extract.entities.names import names_in
from graph_memory.extract.entities.values import TEXT_CHARACTERS, EntityRules, Extraction, Told


def extract_entities(told: Told, rules: EntityRules | None = None) -> Extraction:
    """What the rules read in one message."""
    text = told.text[:TEXT_CHARACTERS]
    claims, aliases = claims_in(Told(text, told.speaker, told.said_at))
    return Extraction(tuple(names_in(text, rules or EntityRules())), tuple(claims), tuple(aliases))
