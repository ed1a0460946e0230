"""Packing: long texts are cut when not everything fits, the worse the shorter, and shown whole when there is room."""

from __future__ import annotations

from dataclasses import replace

import pytest
from langchain_core.messages import HumanMessage

from graph_memory.context.merge import merge
from graph_memory.context.packing import CUT, SHORT_TOKENS, WITHIN_SHARE
from graph_memory.context.passages import ELLIPSIS
from graph_memory.context.tokens import counter_from
from graph_memory.types import Context, Line, Section, Snippet

WORDS = counter_from(lambda text: len(text.split()), name="words")
ASK = HumanMessage("what about saffron", id="ask")
DULL = "It rained for {} days and nobody went out. "


def long_text(number: int, sentences: int = 60) -> str:
    """A text of nine words a sentence, in the middle of which one names what is asked for."""
    said = [DULL.format(f"{number}-{i}") for i in range(sentences)]
    return "".join([*said[: sentences // 2], f"Saffron number {number} is red. ", *said[sentences // 2 :]]).strip()


def long_snippets(count: int, **options: object) -> list[Snippet]:
    """Long texts of one speaker, best first."""
    made = (Snippet(f"Ada: {long_text(i)}", score=1 - i / 100, memo_id=str(i)) for i in range(count))
    about = {"about": {"saffron": 1.0}, "lead": "Ada: ", **options}
    return [replace(snippet, **about) for snippet in made]  # type: ignore[arg-type]


def merged(snippets: list[Snippet], budget: int, **options: object) -> Context:
    """The context of one section."""
    return merge([ASK], [Section("notes", tuple(snippets), **options)], budget_tokens=budget, counter=WORDS)  # type: ignore[arg-type]


def lines_of(context: Context) -> list[Line]:
    return [line for line in context.kept if line.memory == "notes"]


def test_long_texts_are_cut_to_the_sentences_that_answer():
    """Six of 540 words fit 2,000 tokens; each keeps who speaks and what is asked for, and says that it was cut."""
    context = merged(long_snippets(8), 2000)
    lines = lines_of(context)

    assert len(lines) == 6
    assert {line.rule for line in lines} == {CUT}
    for line in lines:
        assert line.text.startswith("Ada: ")
        assert f"Saffron number {line.memo_id} is red." in line.text
        assert ELLIPSIS in line.text
        assert line.text in context.messages[0].text
        assert line.tokens == WORDS.count_text(line.text)
    assert WORDS.overhead + WORDS.count_message(context.messages[0]) == context.total_tokens <= 2000


def test_the_better_a_text_the_more_of_it_is_shown():
    """Down to a length that no text is cut below."""
    long = [replace(s, text=f"Ada: {long_text(i, 200)}") for i, s in enumerate(long_snippets(30))]
    sizes = [line.tokens for line in lines_of(merged(long, 3000))]

    assert sizes[0] > 600
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) > 5
    assert min(sizes[:-1]) > 0.8 * SHORT_TOKENS


def test_what_fits_is_shown_whole():
    """The budget decides, not the length alone."""
    assert [line.rule for line in lines_of(merged(long_snippets(3), 2000))] == [WITHIN_SHARE] * 3


def test_what_is_left_shows_more_of_the_best():
    """A single text that is longer than the budget fills it."""
    context = merged(long_snippets(1), 400)

    assert [line.rule for line in lines_of(context)] == [CUT]
    assert context.total_tokens > 350


def test_a_text_that_short_ones_leave_room_for_is_whole():
    """It was cut to its share first, and then the rest was free."""
    short = [Snippet(f"Bob: short number {i}", score=0.5, memo_id=f"s{i}") for i in range(40)]
    first, second = long_snippets(2)
    context = merged([first, *short, replace(second, score=0.1)], 1100)

    assert {line.memo_id: line.rule for line in lines_of(context)}["0"] == WITHIN_SHARE
    assert context.total_tokens > 1000


@pytest.mark.parametrize("changed", [{"about": None}, {"about": {}}, {"group": "pair"}])
def test_without_terms_or_in_a_group_texts_are_whole_or_out(changed):
    """A memory that says nothing about what is asked has its texts left as they are."""
    snippets = [*long_snippets(4, **changed), Snippet("short", score=0.01, memo_id="short")]
    kept = lines_of(merged(snippets, 700))

    assert all(line.rule != CUT and ELLIPSIS not in line.text for line in kept)
    assert "short" in {line.memo_id for line in kept}


def test_pinned_texts_are_never_cut():
    """They are paid for whole."""
    assert [line.rule for line in lines_of(merged(long_snippets(1), 2000, pinned=True))] == ["pinned"]


def test_tokens_that_lines_were_reckoned_too_dear_by_are_used():
    """Joined lines cost less than their sum here, and the last tokens go to one line more."""
    cheap = counter_from(lambda text: len(text.split()) + (text[:1] not in "<"), name="cheaper together")
    snippets = tuple(Snippet(f"line number {i:02} of many", score=1 - i / 100, memo_id=str(i)) for i in range(60))
    context = merge([ASK], [Section("notes", snippets)], budget_tokens=200, counter=cheap)

    assert 190 < context.total_tokens <= 200
    assert "fits in what others left" in {line.rule for line in context.kept}
