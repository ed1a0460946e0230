"""The extractive reader: it quotes what covers the question, and declines what memory does not hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_memory.extract.reader import Recalled, excerpt, is_question, read


def line(
    text: str, *, day: int = 1, speaker: str = "Ada", role: str = "human", before: str = "", score: float = 0.5
) -> Recalled:
    when = datetime(2025, 3, day, tzinfo=UTC)
    return Recalled(text, text, speaker=speaker, role=role, said_at=when, score=score, before=before)


FILLER = [line(f"Talking about the weather in place number {i}, windy again.", day=i + 1, score=0.1) for i in range(20)]


def texts(question: str, *lines: Recalled) -> list[str]:
    return [quote.line.text for quote in read(question, [*lines, *FILLER]).quotes]


def test_the_line_that_holds_the_words_is_quoted_first():
    """Directly asked, directly answered."""
    found = texts(
        "What is my sister allergic to?", line("My sister is allergic to walnuts."), line("My sister came for lunch.")
    )

    assert found[0] == "My sister is allergic to walnuts."


def test_an_answer_is_found_by_the_line_that_it_answers():
    """The question's words stand in the line before, which only asks."""
    asking = line("Where do you keep the spare key?", role="ai", speaker="Assistant")
    found = texts("Where is the spare key kept?", asking, line("Under the blue flowerpot.", before=asking.text))

    assert found[0] == "Under the blue flowerpot."


def test_what_was_never_talked_about_is_declined():
    """A word that nothing contains outweighs the common words that something does."""
    assert texts("What did my sister order for the greenhouse?", line("My sister came for lunch.")) == []


def test_nothing_recalled_is_declined():
    """Without lines there is nothing to quote."""
    assert read("Who?", []).quotes == ()


def test_names_alone_answer_nothing():
    """Every line is by or to a participant."""
    assert texts("Which instrument does Ada study?", line("Ada here, good morning Ada.")) == []


def test_words_about_the_form_of_the_answer_may_be_missing():
    """Nobody says "the name of the vet is"."""
    found = texts("What is the name of our vet?", line("Mr Okafor, our vet, was very kind."))

    assert found[0] == "Mr Okafor, our vet, was very kind."


def test_asked_how_things_are_now_the_newest_of_equals_comes_first():
    """A fact that changed: both lines fit, the later one holds."""
    old, new = line("Choir practice is on Monday.", day=2), line("Choir practice is on Friday from today.", day=9)

    assert texts("When is choir practice now?", old, new)[0] == new.text
    assert texts("When was choir practice?", replace(old, score=0.6), new)[0] == old.text


def test_a_date_in_the_question_matches_when_it_was_said():
    """A month is in no text, but in the memo's date."""
    march = line("The museum was packed.", day=5)
    april = replace(line("The museum was closed."), said_at=datetime(2025, 4, 5, tzinfo=UTC))

    assert texts("How was the museum in April 2025?", march, april)[0] == april.text


def test_who_is_asked_about_tells_who_said_it():
    """My facts are in my lines, the assistant's advice in its own."""
    mine = line("The tomato soup needs basil.")
    advice = line("The tomato soup needs thyme.", role="ai", speaker="Assistant")

    assert texts("What did I say the tomato soup needs?", advice, mine)[0] == mine.text
    assert texts("What did you say the tomato soup needs?", mine, advice)[0] == advice.text


def test_the_question_itself_is_never_its_answer():
    """Asked a second time, the first asking is remembered too."""
    assert "Where is my blue bicycle?" not in texts("Where is my blue bicycle?", line("Where is my blue bicycle?"))


@pytest.mark.parametrize(
    ("text", "asks"),
    [("Is it?", True), ("where is it", True), ("I live in Leeds.", False), ("", False), ("Whatever you say", False)],
)
def test_questions_are_told_from_statements(text: str, asks: bool):
    """By the mark or by the first word."""
    assert is_question(text) is asks


def test_an_excerpt_shows_the_part_that_answers():
    """The middle of a long line, with dots on both sides, and never more than asked for."""
    text = f"{'blah ' * 60}the spare key is under the flowerpot {'blah ' * 60}"
    part = excerpt(text, "Where is the spare key?", 80)

    assert "spare key is under the flowerpot" in part
    assert part.startswith("…")
    assert part.endswith("…")
    assert len(part) <= 80


@given(st.text(max_size=400), st.text(max_size=40), st.integers(20, 200))
def test_an_excerpt_is_never_too_long(text: str, question: str, characters: int):
    """Whatever the words are, one of endless length included."""
    assert len(excerpt(text, question, characters)) <= characters


@given(
    st.text(max_size=60),
    st.lists(st.builds(line, st.text(max_size=60), score=st.floats(0, 1)), max_size=8),
    st.integers(1, 5),
)
def test_a_reading_is_always_sound(question: str, lines: list[Recalled], limit: int):
    """At most `limit` of the given lines, each once, covering a share in 0–1; none below the threshold."""
    reading = read(question, lines, limit=limit)

    assert len(reading.quotes) <= limit
    assert all(quote.line in lines for quote in reading.quotes)
    assert all(0 <= quote.coverage <= 1 + 1e-9 for quote in reading.quotes)
    assert bool(reading.quotes) <= (reading.coverage > 0)
