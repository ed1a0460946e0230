"""What ranking needs to know of a memo, worked out when it is written."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_memory.context.notes import asking, is_question, note_of, note_value, passages, to_embed, without_names
from graph_memory.context.words import terms
from graph_memory.types import Memo, Origin

NOW = datetime(2023, 5, 8, tzinfo=UTC)

spoken = st.one_of(
    st.text(),
    st.lists(
        st.sampled_from(["Ann went.", "Why?", "last week", "7 May", "three", "🎉", "…", "猫が好き。", "\n"]),
        max_size=150,
    ).map(" ".join),
)
"""Anything that may be said, some of it long."""

moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))
names = st.one_of(
    st.sampled_from(["Ann", "Annabel", "ann", "Özil", "アン", "s"]), st.from_regex(r"\w{1,5}", fullmatch=True)
)


def memo(text: str, **more: Any) -> Memo:
    """What Ann said."""
    return replace(Memo("m", text, Origin("r", seq=3), NOW, speaker="Ann", role="human", session="s"), **more)


def test_a_note_knows_who_when_and_where():
    """As the memo says it, with its terms counted."""
    note = note_of(memo("A cat is a cat.", before="Which pets? Hello.", after="Nice pets!").to_value())

    assert (note.speaker, note.role, note.session, note.position, note.day) == ("Ann", "human", "s", 3, NOW.toordinal())
    assert (note.own, note.length) == ({"cat": 2}, 2)
    assert note.around == {"pet", "hello", "nice"}
    assert note.asked == {"pet"}


@pytest.mark.parametrize(
    ("text", "times", "number", "name"),
    [
        ("I was in Paris", 0, False, True),
        ("Paris is nice, and I'm happy", 0, False, False),
        ("we have two dogs", 0, True, False),
        ("it cost 3.50", 0, True, False),
        ("one of us went", 0, False, False),
        ("I went last week", 1, False, False),
        ("I was there on 7 May", 1, True, True),
    ],
)
def test_a_passage_tells_of_times_numbers_and_names(text, times, number, name):
    """The first word of a sentence is no name, "a" and "one" are no numbers."""
    [passage] = note_of(memo(text).to_value()).passages

    assert (len(passage.times), passage.number, passage.name) == (times, number, name)


def test_a_long_text_is_several_passages_of_whole_sentences():
    """Sixty words or so each; what is not much longer stays whole."""
    sentence = "word " * 19 + "end."

    assert [len(piece.split()) for piece in passages(" ".join([sentence] * 7))] == [60, 60, 20]
    assert passages(" ".join([sentence] * 4)) == [" ".join([sentence] * 4)]


def test_an_endless_sentence_is_cut_all_the_same():
    """A text without any punctuation, and one of nothing else."""
    assert [len(piece.split()) for piece in passages("word " * 150)] == [60, 60, 30]
    assert "".join(passages("... " * 100)).strip(". ") == ""


def test_a_passage_without_words_has_no_terms():
    """It does not take over those of the whole memo."""
    note = note_of(memo(" ".join(["cats purr."] * 60 + ["🎉."] * 60)).to_value())

    assert note.passages[0].terms == {"cat", "purr"}
    assert note.passages[-1].terms == frozenset()


@pytest.mark.parametrize("sentence", ["why?", "なぜ？", "لماذا؟", "why? "])
def test_a_question_is_one_in_every_script(sentence):
    """By its mark."""
    assert is_question(sentence)


def test_asking_is_the_share_of_words_in_questions():
    """Nothing, a half, all; an empty text asks nothing."""
    assert [asking(text) for text in ("I am.", "I am. Are you?", "Are you?", "")] == [0.0, 0.5, 1.0, 0.0]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Hi Ann, how are you?", "Hi, how are you?"),
        ("What is Ann's dog called?", "What is dog called?"),
        ("What is Ann’s dog called?", "What is dog called?"),
        ("Annabel and ann", "Annabel and ann"),
        ("Sam  Lee Jr. met Ann!", "met!"),
        ("Ann", ""),
    ],
)
def test_names_are_taken_out_whole(text, plain):
    """With their genitive; longer words that begin alike stay, names of several words and with a full stop go."""
    assert without_names(text, ["Ann", "", "Sam Lee Jr."]) == plain


@given(spoken, st.lists(st.text(max_size=6), max_size=4))
def test_any_names_can_be_taken_out_of_any_text(text, anyone):
    """Names are no patterns: nothing raises, and nothing grows."""
    assert len(without_names(text, anyone)) <= len(text)


@given(
    st.lists(st.one_of(names, st.text(max_size=4), st.sampled_from(["'s", "’s", " ", ","])), max_size=12).map("".join),
    st.lists(names, max_size=3),
)
def test_names_are_taken_out_at_once(text, who):
    """Doing it again changes nothing."""
    once = without_names(text, who)

    assert without_names(once, who) == once


def test_a_short_text_is_embedded_with_the_message_before_it():
    """A "yes, it is" says nothing by itself; a long one stands for itself, and names are left out of both."""
    long = "alpha bravo charlie delta echo foxtrot golf hotel india juliet"

    assert to_embed(memo("Yes Ann!", before="Bob, is it a cat?"), ["Ann", "Bob"]) == "is it a cat? Yes!"
    assert to_embed(memo(long, before="Is it?"), []) == long
    assert to_embed(memo("Ann"), ["Ann"]) == "Ann"


def test_what_is_no_memo_has_no_note():
    """Whoever reads a foreign namespace is told by an error that it knows."""
    for value in ({}, {"note": {}}, {"text": "x"}, {"note": None, "speaker": ""}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            note_of(value)


@given(spoken, spoken, spoken, moments)
def test_a_note_survives_the_store(text, before, after, said_at):
    """What was stored as JSON and what is worked out anew are the same note."""
    one = memo(text, before=before, after=after, said_at=said_at)
    kept = {**one.to_value(), "note": note_value(one), "day": one.day}

    note = note_of(json.loads(json.dumps(kept)))

    assert note == note_of(one.to_value())
    assert [passage.terms for passage in note.passages] == [frozenset(terms(piece)) for piece in passages(text)]
    assert 0 <= note.asks <= 1
