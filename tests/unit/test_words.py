"""Text to search terms, in any language."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_memory.context.words import IRREGULAR, STOP_WORDS, stem, terms


def test_english_words_are_stemmed_and_stop_words_dropped():
    """What remains says what the text is about."""
    assert terms("The dogs were running to the Parks, and I was with them.") == ["dog", "run", "park"]


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("I went there", "go there"),
        ("She bought it", "buying"),
        ("They have eaten", "eat"),
        ("the CHILDREN's", "child"),
        ("the women", "a woman"),
        ("people", "a person"),
    ],
)
def test_irregular_forms_are_one_term_with_their_word(text, other):
    """A question asks "did you go", the answer says "I went"."""
    assert terms(text) == terms(other)


def test_irregular_forms_lead_to_words_that_lead_nowhere_else():
    """No chains, no form that is a word of its own; ASCII, lower case, and never a stop word made of a word."""
    assert IRREGULAR.keys().isdisjoint(IRREGULAR.values())
    assert not STOP_WORDS & {*IRREGULAR, *IRREGULAR.values()}
    assert all(form.isascii() and form.isalpha() and form.islower() for form in {*IRREGULAR, *IRREGULAR.values()})
    assert {form for form, word in IRREGULAR.items() if stem(form) != stem(word)} == set()


def test_stop_words_stay_when_there_is_nothing_else():
    """A question made of stop words can still be looked for."""
    assert terms("Who are you?") == ["who", "are", "you"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Caroline's", ["carolin"]),
        ("Caroline’s", ["carolin"]),
        ("we'll she'd they're I've meet", ["meet"]),
        ("don't stop", ["stop"]),
        ("O'Brien", ["o", "brien"]),
        ("l'eau", ["l", "eau"]),
        ("'quoted'", ["quot"]),
    ],
)
def test_apostrophes(text, expected):
    """Endings go, contractions of "not" are stop words, names and elisions become two words."""
    assert terms(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,000,000 and 1000000", ["1000000", "1000000"]),
        ("pi is 3.14", ["pi", "3.14"]),
        ("2023-05-07", ["2023", "05", "07"]),
        ("1, 2,3", ["1", "2", "3"]),
        ("1,000.5 é", ["1000.5", "é"]),
        ("b2b covid19", ["b2b", "covid19"]),
    ],
)
def test_numbers_are_kept(text, expected):
    """With thousands separators taken out."""
    assert terms(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("黒猫が好き", ["黒猫", "猫が", "が好", "好き"]),
        ("我喜欢 Python 编程", ["我喜", "喜欢", "python", "编程"]),
        ("猫", ["猫"]),
        ("한국어", ["한국", "국어"]),
        ("สวัสดี", ["สว", "วั", "ัส", "สด", "ดี"]),
    ],
)
def test_scripts_without_spaces_become_character_pairs(text, expected):
    """So that a word is found wherever it stands in a sentence."""
    assert terms(text) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CAFÉ", "cafe\u0301"),
        ("ＡＢＣ", "abc"),
        ("Straße", "STRASSE"),
        ("ПРИВЕТ", "привет"),
        ("snake_case", "snake case"),
    ],
)
def test_spellings_of_one_word_are_one_term(one, other):
    """Case, width and composition of characters do not matter."""
    assert terms(one) == terms(other)


def test_words_with_combining_marks_stay_whole():
    """Vowel signs are part of the word, although Python does not count them as letters."""
    assert terms("हिन्दी भाषा") == ["हिन्दी", "भाषा"]
    assert terms("العَرَبِيَّة") == ["العَرَبِيَّة"]


@pytest.mark.parametrize("text", ["", "   ", "?!…", "😀🎉", "\ud800", "___", "'''"])
def test_text_without_words_has_no_terms(text):
    """Nothing is found by it, and nothing fails."""
    assert terms(text) == []


def test_data_in_words_clothing_is_cut():
    """Nobody asks for a whole base64 blob; the index need not hold it."""
    assert [len(term) for term in terms("x" * 10_000)] == [64]


def test_an_ascii_text_has_the_same_terms_beside_other_alphabets():
    """Both ways of finding words agree."""
    text = "It's 1,000 dogs' running_wild at 3.14 o'clock, isn't it"
    assert terms(text + " é") == [*terms(text), "é"]


def test_stemming_is_safe_from_several_threads():
    """The stemmer keeps its word in itself; sharing it must not mix words up."""
    words = [
        f"{root}{ending}" for root in ("walk", "jump", "paint", "climb") for ending in ("ing", "ed", "s", "er")
    ] * 50
    expected = [stem(word) for word in words]
    stem.cache_clear()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(stem, words)) == expected


@given(st.text())
def test_any_text_has_plain_terms(text):
    """Terms are short, not blank, hold no space and are valid Unicode."""
    for term in terms(text):
        assert 0 < len(term) <= 64
        assert not any(char.isspace() for char in term)
        term.encode()


@given(st.text(), st.text())
def test_terms_of_a_joined_text_are_the_terms_of_its_parts(one, other):
    """Nothing grows together over a line break."""
    kept = [term for term in terms(one + "\n" + other) if term not in STOP_WORDS]
    parts = [term for term in terms(one) + terms(other) if term not in STOP_WORDS]
    assert kept == parts
