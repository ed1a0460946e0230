"""What a question asks for: terms, whom, when and what kind of answer."""

from __future__ import annotations

import math
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_memory.context.question import CUE_WEIGHT, Corpus, named, read_question

PEOPLE = Corpus(speakers={"Caroline": "person", "Melanie": "person"}, years=(2023,))
ASSISTED = Corpus(speakers={"User": "human", "Assistant": "ai"}, years=(2023,))
CUES = ("when", "did", "Ann", "how", "old", "I", "you", "May", "2023", "now", "?", "'", "’s", "_", "猫")


def test_names_are_no_search_terms():
    """They say whose answer it is, not what it is about."""
    asked = read_question("What did Caroline paint?", PEOPLE)

    assert list(asked.terms) == ["paint"]
    assert asked.text == "What did paint?"
    assert asked.speakers == {"Caroline": 1.0}


def test_a_question_that_is_only_a_name_is_searched_for_as_it_is():
    """There is nothing else to look for."""
    assert read_question("Melanie", PEOPLE).text == "Melanie"


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("Is Mel well?", {"Mel": "Melanie Hill"}),
        ("What about Hill’s dog?", {"Hill": "Melanie Hill"}),
        ("Do you like hills?", {}),
        ("Will Will come?", {"Will": "Will"}),
        ("you will see", {}),
        ("Ask the User", {}),
        ("Is Ann there?", {}),
    ],
)
def test_a_name_its_part_or_its_beginning_names_a_participant(text, who):
    """When it fits one only, and is not a common word in lower case."""
    assert named(text, ["Melanie Hill", "Will", "Anna", "Annabel", "User"]) == who


def test_naming_everybody_is_about_nobody():
    """Then the speaker does not tell the answer."""
    assert read_question("Where did Caroline and Melanie meet?", PEOPLE).speakers == {}


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("Where did I park?", {"User": 0.5}),
        ("Wo habe ich geparkt?", {"User": 0.5}),
        ("I’ve lost my keys", {"User": 0.5}),
        ("What did you recommend?", {"Assistant": 0.5}),
        ("What did you tell me?", {}),
        ("Where is the car?", {}),
    ],
)
def test_with_an_assistant_i_is_the_user_and_you_the_assistant(text, about):
    """Both in one question cancel out; people among themselves have neither."""
    assert read_question(text, ASSISTED).speakers == about
    assert read_question(text, PEOPLE).speakers == {}


def test_a_time_is_taken_out_of_what_is_searched_for():
    """It selects by date; "May" is no word to look for."""
    asked = read_question("What did we plant in May 2023?", ASSISTED)

    assert asked.times == ((date(2023, 5, 1).toordinal(), date(2023, 5, 31).toordinal()),)
    assert list(asked.terms) == ["plant"]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("When did you move?", "time"),
        ("Seit Tagen frage ich: wann war das?", "time"),
        ("How long did it take?", "time number"),
        ("How many dogs?", "number"),
        ("Wie viele Hunde?", "number"),
        ("Where is it?", "name"),
        ("¿Quién es?", "name"),
        ("What is it now?", "now"),
        ("What was it in May 2023, and now?", ""),
        ("Tell me when you know", ""),
        ("What is it?", ""),
        ("猫は好き？", ""),
    ],
)
def test_cue_words_say_what_kind_of_answer_is_asked_for(text, kinds):
    """In a few languages; a question that names a time does not ask how things are now."""
    asked = read_question(text, ASSISTED)
    found = {kind for kind in ("time", "number", "name", "now") if getattr(asked, f"wants_{kind}")}

    assert found == set(kinds.split())


def test_words_that_say_what_is_asked_for_count_half():
    """ "old" of "how old" is no topic."""
    asked = read_question("How old is the dog?", Corpus())

    assert asked.terms["old"] == CUE_WEIGHT * asked.terms["dog"]


def test_rare_terms_count_more():
    """The less often a term stands in the memos, the more it tells; the number of memos does not matter."""
    corpus = Corpus(documents=100, frequencies={"common": 90, "rare": 1, "too many": 10**9})

    assert 0 < corpus.rarity("too many") < corpus.rarity("common") < corpus.rarity("rare") < corpus.rarity("new") <= 1
    assert corpus.rarity("new") == pytest.approx(Corpus(documents=10**6).rarity("new"))


@given(
    st.one_of(st.text(), st.lists(st.sampled_from(CUES)).map(" ".join)),
    st.dictionaries(st.one_of(st.text(), st.just("Ann Lee")), st.sampled_from(["human", "ai", "person"]), max_size=4),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.lists(st.integers(1, 9999), max_size=3).map(tuple),
)
def test_any_question_can_be_read(text, speakers, documents, frequency, years):
    """Nothing raises; weights are finite and in 0–1, and only participants are asked about."""
    corpus = Corpus(documents, {"old": frequency, "ann": frequency}, speakers, years)
    asked = read_question(text, corpus)

    assert all(math.isfinite(weight) and 0 <= weight <= 1 for weight in asked.terms.values())
    assert asked.speakers.keys() <= speakers.keys()
    assert asked.text or not text
