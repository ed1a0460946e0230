"""Reading changes by rules: constructions that hold for any attribute, and what only sounds like a change."""

from __future__ import annotations

import pytest

from graph_memory.extract.entities.wording import referred
from tests.entity_helpers import claimed


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        ("Dave replaced Carol as my boss.", ("User", "manager", "Dave")),
        ("Khan is no longer my doctor.", ("User", "doctor", "not Khan")),
        ("Lopez is my dentist now.", ("User", "dentist", "Lopez")),
        ("My number has changed to +44 20 7946 0999.", ("User", "phone", "+44 20 7946 0999")),
        ("I have a new editor, it's Emacs.", ("User", "uses editor", "Emacs")),
        ("I'm in Lisbon now, I moved there in May.", ("User", "home", "Lisbon")),
        ("Since moving to Lisbon I sleep better.", ("User", "home", "Lisbon")),
        ("Ann is back in Lisbon, permanently.", ("Ann", "home", "Lisbon")),
        ("Bob made the switch from Acme to Globex.", ("Bob", "employer", "Globex")),
        ("I haven't worked at Acme since March.", ("User", "employer", "not Acme")),
        ("Ann is the new accountant at Globex.", ("Ann", "employer", "Globex")),
        ("Bob's time at Acme is over.", ("Bob", "employer", "not Acme")),
        ("My ex Sam called.", ("User", "partner", "not Sam")),
        ("Write to a@x.org instead of b@x.org.", ("User", "e-mail", "a@x.org")),
        ("Mia celebrated her 7th birthday.", ("Mia", "age", "7")),
    ],
)
def test_changes_are_claims_whatever_changes(text: str, claim: tuple[str, str, str]) -> None:
    """Constructions that hold for any attribute, place or person."""
    assert claim in claimed(text)


@pytest.mark.parametrize(
    "text",
    [
        "I went to Globex for a workshop.",
        "We returned to Lisbon by train.",
        "I've been in Lisbon for two days.",
        "I have a holiday apartment in Lisbon.",
        "I'd rather live in Lisbon than Porto.",
        "I'm with Alex at the cinema.",
        "Here is my latest one!",
        "Dance is my stress fix.",
        "They work there.",
        "I left Sam at the airport.",
    ],
)
def test_what_only_sounds_like_a_change_is_not_claimed(text: str) -> None:
    """Visits, stays, wishes, company."""
    assert claimed(text) == []


@pytest.mark.parametrize(
    ("sentence", "put"),
    [
        ("I like Lisbon and Bob moved there.", "I like Lisbon and Bob moved to Lisbon."),
        (
            "The Globex contract is signed, I begin there on Monday.",
            "The Globex contract is signed, I begin at Globex on Monday.",
        ),
        ("After leaving Acme I slept.", "I left Acme , I slept."),
        ("After leaving Acme, Bob slept.", "After leaving Acme, Bob slept."),
        ("I live there.", "I live there."),
    ],
)
def test_there_and_gerunds_are_put_in_plain_words(sentence: str, put: str) -> None:
    """Where the sentence itself says what they stand for."""
    assert referred(sentence) == put
