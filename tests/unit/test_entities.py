"""Reading entities by rules: names, claims, and what must not be claimed; names that mean the same, and those that do not."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_memory.extract.entities.extraction import extract_entities
from graph_memory.extract.entities.schema import ExtractedEntities, ExtractedEntity, ExtractedFact, extractions
from graph_memory.extract.entities.values import NAME_CHARACTERS, EntityRules, Extraction, readable_name
from graph_memory.memories.entity.naming import Register, could_mean, normalised
from tests.entity_helpers import claimed, told
from tests.strategies import texts


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        ("Ada works at Babbage Ltd.", ("Ada", "employer", "Babbage Ltd")),
        ("Ada works for Globex since 2019.", ("Ada", "employer", "Globex")),
        ("Bob moved to Lisbon.", ("Bob", "home", "Lisbon")),
        ("I live in New York.", ("User", "home", "New York")),
        ("My sister Ann is here.", ("User", "sister", "Ann")),
        ("My sister Ann works at Acme.", ("Ann", "employer", "Acme")),
        ("My sister moved to Porto.", ("User's sister", "home", "Porto")),
        ("Dave is Bob's manager.", ("Bob", "manager", "Dave")),
        ("Bob's birthday is March 3.", ("Bob", "birthday", "March 3")),
        ("I am a carpenter.", ("User", "job", "carpenter")),
        ("Ann is married to Sam Jones.", ("Ann", "partner", "Sam Jones")),
        ("I switched to Emacs.", ("User", "uses editor", "Emacs")),
        ("I quit Acme.", ("User", "", "not Acme")),
        ("I don't work at Acme any more.", ("User", "employer", "not Acme")),
        ("I used to live in Rome.", ("User", "home", "not Rome")),
        ("My e-mail is ada@x.org.", ("User", "e-mail", "ada@x.org")),
        ("i live in porto", ("User", "home", "Porto")),
        ("José lives in São Paulo.", ("José", "home", "São Paulo")),
        ("Mr. Smith works at Acme.", ("Mr. Smith", "employer", "Acme")),
        ("I have a dog named Rex. My dog Rex barks.", ("User", "pet", "Rex")),
    ],
)
def test_plain_statements_are_claims(text: str, claim: tuple[str, str, str]) -> None:
    """Who, which attribute, which value; "I" and "my" are the speaker's."""
    assert claim in claimed(text)


def test_i_means_the_speaker() -> None:
    """Whatever the speaker is called; "she" is the one other person spoken of."""
    assert claimed("I live in Ghent. My sister Ann left. She lives in Bruges.", "Ada Lovelace") == [
        ("Ada Lovelace", "home", "Ghent"),
        ("Ada Lovelace", "sister", "Ann"),
        ("Ann", "home", "Bruges"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Do you live in Lisbon?",
        "If I moved to Lisbon, I'd be happy.",
        "I might move to Lisbon.",
        "I'd love to live in Lisbon.",
        "I want to move to Lisbon and work at Globex.",
        'She said "I live in Lisbon".',
        "In the novel I live in Lisbon.",
        "I never lived in Lisbon.",
        "When I lived in Lisbon it rained.",
        "The fair moved to Lisbon.",
        "I moved to the couch.",
        "I live for Fridays.",
        "I left Acme early.",
        "I'm a bit tired.",
        "I'm 5 minutes away.",
        "I work at home.",
    ],
)
def test_what_is_not_stated_is_not_claimed(text: str) -> None:
    """Questions, hypotheses, wishes, quotations, fiction, other subjects, other senses."""
    assert claimed(text) == []


def test_the_time_from_which_a_claim_holds() -> None:
    """Past and future expressions, counted from the day of the message."""
    since = {
        c.value: c.valid_from
        for text in (
            "I work at Acme since 2019.",
            "I'm starting at Globex on Monday.",
            "I moved to Rome last month.",
            "I live in Porto.",
        )
        for c in extract_entities(told(text)).claims
    }

    assert since == {
        "Acme": datetime(2019, 1, 1, tzinfo=UTC),
        "Globex": datetime(2024, 3, 11, tzinfo=UTC),
        "Rome": datetime(2024, 2, 1, tzinfo=UTC),
        "Porto": None,
    }


def test_names_by_form_by_lists_and_by_the_users_rules() -> None:
    """A capital at the beginning of a sentence is no name by itself."""
    rules = EntityRules({"ticket": [re.compile(r"\bT-(?P<name>\d+)")]}, {"product": ["blue widget"]})
    text = (
        "Yesterday Dr. Grace Hopper of Yale University wrote to ada@x.org about T-42 and the Blue Widget, see"
        " https://x.org/a?b=1. Call +44 20 7946 0000 before 2024-05-01. Coding is fun in Lisbon."
    )

    found = {m.name: m.type for m in extract_entities(told(text), rules).mentions}

    assert found == {
        "42": "ticket",
        "blue widget": "product",
        "ada@x.org": "e-mail",
        "https://x.org/a?b=1": "url",
        "2024-05-01": "date",
        "+44 20 7946 0000": "phone",
        "Dr. Grace Hopper": "person",
        "Yale University": "organization",
        "T-42": "",
        "Lisbon": "location",
    }


@pytest.mark.parametrize(
    "text",
    ["東京に住んでいます。", "Я живу в Москве.", "أعيش في القاهرة", "ฉันอยู่ที่กรุงเทพ", "👩‍👩‍👧", "\x00\x1b[31m", "\ud800"],
)
def test_other_scripts_do_not_crash(text: str) -> None:
    """They claim nothing, which is honest."""
    assert extract_entities(told(text)).claims == ()


@given(st.one_of(texts, st.text(max_size=300)))
def test_any_text_can_be_read(text: str) -> None:
    """Names come out clean and short, whatever goes in."""
    found = extract_entities(told(f"I work at {text}. {text} moved to {text}"))

    for name in (*(m.name for m in found.mentions), *(c.subject for c in found.claims)):
        assert 0 < len(name) <= NAME_CHARACTERS
        assert name.isprintable()


@pytest.mark.parametrize(
    "piece", ["A ", "Aa", "I am ", "Ann and ", "my ", "I left X for ", "a@a.", "1 ", "I have I have ", "'s "]
)
def test_hostile_text_is_read_to_its_end(piece: str) -> None:
    """Patterns do not explode: a second for 20,000 characters of the same; one that explodes never comes back."""
    found = extract_entities(told(piece * (20_000 // len(piece))))

    assert len(found.mentions) <= 20_000


def test_names_of_any_length_are_refused_or_clipped() -> None:
    """10,000 characters are no name; control characters go."""
    assert readable_name("A" * 10_000) == ""
    assert readable_name("A\x00d\x1b[31ma\u202e") == "A d [31ma"
    assert len(readable_name("word " * 40)) <= NAME_CHARACTERS
    assert readable_name("…!?") == ""


@pytest.mark.parametrize(
    ("one", "other", "kind", "same"),
    [
        ("Bob", "Robert Smith", "person", True),
        ("Mr Smith", "Robert Smith", "person", True),
        ("Bob Smith", "Robert Smith", "person", True),
        ("R. Smith", "Robert Smith", "person", True),
        ("José Díaz", "Jose Diaz", "person", True),
        ("Mr Robert", "Robert Smith", "person", False),
        ("Jon Smith", "John Smith", "person", False),
        ("Jane Smith", "John Smith", "person", False),
        ("Ada Byron", "Ada Lovelace", "person", False),
        ("Ann", "Anna", "person", False),
        ("Maria Lopez", "Marie Lopez", "person", False),
        ("Babbage Ltd", "Babbage Limited", "organization", True),
        ("the Analytical Engines Company", "Analytical Engine Co", "organization", True),
        ("Byron & Co", "Byron and Co", "organization", True),
        ("Version 10 Release", "Version 11 Release", "concept", False),
        ("North Korea", "South Korea", "location", False),
        ("Ada's sister", "Ada", "person", False),
    ],
)
def test_which_names_can_mean_the_same(one: str, other: str, kind: str, same: bool) -> None:
    """Short forms, surnames, initials and accents; never a guess at spelling for people. It does not matter which comes first."""
    assert could_mean(one, other, kind) is same
    if not one.startswith("Mr "):
        assert could_mean(other, one, kind) is same


def test_a_single_name_means_the_one_who_bears_it_and_nobody_when_two_do() -> None:
    """Bob is Robert Smith until there is a Robert Jones; what was said before stays with whom it was said of."""
    register = Register()
    smith = register.resolve("Robert Smith", "person", "1")
    assert register.resolve("Bob", "person", "2") == smith
    assert register.resolve("Mr Smith", "person", "3") == smith

    jones = register.resolve("Robert Jones", "person", "4")
    unclear = register.resolve("Bob", "person", "5")

    assert len({smith, jones, unclear}) == 3
    assert register.resolve("Bob", "person", "6") == unclear
    assert register.resolve("Mr Smith", "person", "7") == smith
    assert register.resolve("Robert Smith", "person", "8") == smith


def test_a_single_name_gets_its_surname_later() -> None:
    """Ann, then Ann Lee: one person; Ann Kay is another."""
    register = Register()
    ann = register.resolve("Ann", "person", "1")

    assert register.resolve("Ann Lee", "person", "2") == ann
    assert register.resolve("Ann Kay", "person", "3") != ann


PEOPLE = st.builds(
    "{} {}".format,
    st.sampled_from(["Ann", "Anna", "Bob", "Robert", "Jon", "John", "Maria", "Marie", "Kim"]),
    st.sampled_from(["Smith", "Smyth", "Jones", "Johnson", "Johnston", "Lee"]),
)


@given(
    st.lists(
        st.one_of(PEOPLE, PEOPLE.map(lambda name: name.split()[0]), PEOPLE.map(lambda n: n.split()[1])), max_size=12
    )
)
def test_people_of_different_full_names_are_never_merged(names: list[str]) -> None:
    """In whatever order full names and single ones are met; "Bob Smith" and "Robert Smith" alone may be one."""
    register = Register()
    bearers: dict[str, set[str]] = {}
    for i, name in enumerate(names):
        bearers.setdefault(register.resolve(name, "person", str(i)), set()).add(
            normalised(name).replace("bob ", "robert ")
        )

    for borne in bearers.values():
        assert len({name for name in borne if " " in name}) <= 1


def test_a_models_answer_is_checked_before_it_is_believed() -> None:
    """Unknown types, messages that do not exist, names of 10,000 characters, dates that are none."""
    answer = ExtractedEntities(
        entities=[
            ExtractedEntity(name="Ada\x00 Lovelace", type="Person", aliases=["Ada", "x" * 10_000, ""]),
            ExtractedEntity(name="n" * 10_000, type="person"),
            ExtractedEntity(name="Kraken", type="monster"),
            ExtractedEntity(name="Late", type="person", message=7),
        ],
        facts=[
            ExtractedFact(
                subject="Ada Lovelace", attribute="Home", value="Lisbon", value_type="location", since="2024-02-30"
            ),
            ExtractedFact(subject="Ada Lovelace", attribute="home", value=""),
            ExtractedFact(subject="Ada Lovelace", attribute="home", value="v" * 10_000),
            ExtractedFact(subject="", attribute="home", value="Rome"),
            ExtractedFact(subject="Ada Lovelace", attribute="home", value="Rome", message=-1),
        ],
    )

    [found] = extractions(answer, [told("I live in Lisbon")], ("person", "location"))

    assert isinstance(found, Extraction)
    assert [(m.name, m.type) for m in found.mentions] == [("Ada Lovelace", "person")]
    assert found.aliases == (("Ada Lovelace", "Ada"),)
    assert [(c.slot, c.value, c.value_type, c.valid_from) for c in found.claims] == [
        ("home", "Lisbon", "location", None)
    ]
