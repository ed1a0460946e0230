"""The summary without a model: what it picks, how it is written and read again, and how fast."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from graph_memory.extract.extractive import clipped, shortened, summarised
from graph_memory.extract.statements import Statement, parsed, rendered, sentences, statements_of

TEXTS = st.text(alphabet=st.sampled_from("ab é漢。.!?\n:-7A"), max_size=60)


def words(text: str) -> int:
    """One token a word."""
    return len(text.split())


def said(*texts: str, day: str = "2023-05-08") -> list[BaseMessage]:
    """Ada and the assistant in alternation."""
    kinds = ((HumanMessage, "Ada"), (AIMessage, "Bot"))
    return [
        kinds[i % 2][0](text, name=kinds[i % 2][1], additional_kwargs={"said_at": f"{day}T10:00:00+00:00"})
        for i, text in enumerate(texts)
    ]


def test_what_says_most_stays():
    """Names, numbers and decisions stay; greetings and questions go."""
    chat = said(
        "Hey! How are you? Good to see you!",
        "Fine, thanks! And you? What is new?",
        "We decided to move to Lisbon on 3 June, the rent is 900 euros.",
        "Wow, that is cool!",
    )

    summary = summarised("", chat, max_tokens=16, count=words)

    assert summary == "2023-05-08\nAda: We decided to move to Lisbon on 3 June, the rent is 900 euros."


def test_who_said_it_and_when_stands_once():
    """A day stands once above its lines, and a speaker once before what follows."""
    lines = [
        Statement("One.", "Ada", "2023-05-08"),
        Statement("Two.", "Ada", "2023-05-08"),
        Statement("Three.", "Bot", "2023-05-08"),
        Statement("Four.", "Ada"),
    ]

    assert rendered(lines) == "2023-05-08\nAda: One. Two.\nBot: Three.\nundated\nAda: Four."


def test_what_was_written_is_read_again():
    """A summary is carried on from its text alone."""
    text = "2023-05-08\nAda: One. Two.\nBot: Three.\nundated\nAda: Four."

    assert rendered(parsed(text)) == text


def test_it_is_carried_on():
    """What was in the summary keeps its part of the room beside what is new."""
    first = summarised("", said("The budget is 900 euros.", "Noted."), max_tokens=20, count=words)

    second = summarised(
        first,
        said("The flight leaves Porto at 7.", "The hotel Aurora costs 80 euros a night.", day="2023-05-09"),
        max_tokens=18,
        count=words,
        earlier_share=0.5,
    )

    assert "The budget is 900 euros." in second
    assert "Aurora" in second or "Porto" in second
    assert words(second) <= 18


def test_a_near_repeat_is_left_out():
    """Of two sentences that say the same, one stays."""
    chat = said("The train to Porto leaves at nine.", "So the train leaves to Porto at nine!", "Bring the blue folder.")

    summary = summarised("", chat, max_tokens=16, count=words)

    assert summary.count("Porto") == 1
    assert "blue folder" in summary


def test_a_correction_is_no_repeat():
    """Another number is another fact, and of the same words the newest hold."""
    prices = said(
        "The rent of the flat by the old harbour is 900 euros.", "The rent of the flat by the old harbour is 950 euros."
    )
    plans = said("Ben is coming to Porto.", "Fine, then.", "Ben is not coming to Porto.", "Pity, that is all.")

    assert "950" in summarised(
        "", [*prices, *said("Filler words to be left out here, please.")], max_tokens=27, count=words
    )
    assert "not coming" in (short := summarised("", plans, max_tokens=9, count=words))
    assert "is coming" not in short


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It costs 3.50 euros. Fine.", ["It costs 3.50 euros.", "Fine."]),
        ("Dr. Who called. J. Doe too.", ["Dr. Who called.", "J. Doe too."]),
        ("明日は会議です。資料を用意します。", ["明日は会議です。", "資料を用意します。"]),
        ("one\ntwo", ["one", "two"]),
        ("See a.b.c for it", ["See a.b.c for it"]),
        ("", []),
    ],
)
def test_sentences_end_where_they_end(text: str, expected: list[str]):
    """Not at decimal points, not after titles, and in scripts without spaces."""
    assert sentences(text) == expected


def test_a_text_without_an_end_is_taken_in_pieces():
    """A sentence of 10,000 words, or of 10,000 characters without a space, is no single sentence."""
    assert max(len(piece.split()) for piece in sentences("word " * 10_000)) <= 60
    assert max(map(len, sentences("x" * 10_000))) <= 400


def test_tool_calls_are_told():
    """What was called, and what came of it."""
    call = AIMessage("", tool_calls=[{"name": "weather", "args": {"city": "Oslo"}, "id": "1"}])

    told = statements_of([call, ToolMessage("Rain, 7 degrees.", name="weather", tool_call_id="1")])

    assert [(one.speaker, one.text) for one in told] == [
        ("Assistant", 'calls weather({"city": "Oslo"})'),
        ("weather", "Rain, 7 degrees."),
    ]


@given(st.lists(TEXTS, max_size=8), TEXTS, st.integers(1, 30), st.floats(0, 1))
def test_never_too_long_and_never_empty(texts: list[str], earlier: str, max_tokens: int, share: float):
    """Whatever is said, a summary has its size, and says something if anything was said."""
    messages = said(*texts)

    summary = summarised(earlier, messages, max_tokens=max_tokens, count=words, earlier_share=share)

    assert words(summary) <= max_tokens
    assert bool(summary) == bool(parsed(earlier) or statements_of(messages))
    assert summary == summarised(earlier, messages, max_tokens=max_tokens, count=words, earlier_share=share)


@given(TEXTS, st.integers(1, 30))
def test_a_shortened_text_fits(text: str, max_tokens: int):
    """Cut at sentences, or in one when none fits."""
    short = shortened(text, max_tokens=max_tokens, count=len)

    assert len(short) <= max_tokens
    assert short or not parsed(text)


def test_clipping_says_that_it_clipped():
    """A mark stands where the text was cut; a text without spaces is cut in it."""
    assert clipped("one two three", max_tokens=2, count=words) == "one two…"
    assert clipped("x" * 50, max_tokens=10, count=len) == "x" * 9 + "…"
    assert clipped("one", max_tokens=5, count=words) == "one"


def test_a_hundred_thousand_tokens_are_summarised():
    """`python -m benchmarks.summary` has the time."""
    vocabulary = [f"word{i}" for i in range(5000)]
    texts = [" ".join(vocabulary[(i * 37 + j * j) % 5000] for j in range(12)) + "." for i in range(8000)]

    summary = summarised("", said(*texts), max_tokens=2000, count=words)

    assert 1000 < words(summary) <= 2000
