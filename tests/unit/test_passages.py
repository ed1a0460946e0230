"""Cutting long texts: whole sentences, an ellipsis for each gap, in every script and form."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from graph_memory.context.passages import ELLIPSIS, pieces, shortened
from graph_memory.context.words import terms
from tests.strategies import texts


def words(text: str) -> int:
    return len(text.split())


def cut(text: str, question: str, most: int, lead: str = "", count: object = words) -> str:
    """The text cut to `most` words around the question's terms."""
    about = dict.fromkeys(terms(question), 1.0)
    return shortened(text, about, most, count(text), count, lead=lead)  # type: ignore[operator]


DULL = "The weather was dull that day. " * 40


def test_the_sentence_that_answers_stays_and_gaps_are_marked():
    """Who speaks stays, and so does what stands beside the answer."""
    text = f"Ada: {DULL}The saffron cost thirty dollars. It was worth it. {DULL}"

    assert cut(text, "What did the saffron cost?", 20, lead="Ada: ") == (
        f"Ada: {ELLIPSIS} The weather was dull that day. The saffron cost thirty dollars. It was worth it. {ELLIPSIS}"
    )


def test_two_places_are_joined_by_an_ellipsis():
    """What is left out between them is seen."""
    text = f"The dog is called Rex. {DULL}The cat is called Tom."

    assert cut(text, "dog and cat", 14) == f"The dog is called Rex. {ELLIPSIS} The cat is called Tom."


def test_a_text_without_the_terms_keeps_its_beginning():
    """Found by meaning alone, it begins with what it is about."""
    shown = cut(f"I bought a boat. {DULL}", "sailing", 16)

    assert shown.startswith("I bought a boat. The weather")
    assert shown.endswith(f". {ELLIPSIS}")


def test_lines_stay_lines():
    """Items of a list and lines of code keep their form, and an item its number."""
    items = "\n".join(f"{i}. do {i} squats" for i in range(60))
    shown = cut(f"A plan:\n{items}", "item 40 squats?", 12)

    assert f"{ELLIPSIS} 40. do 40 squats" in shown or "\n40. do 40 squats" in shown
    assert shown.endswith(f" {ELLIPSIS}")
    assert all(line.strip(f"{ELLIPSIS} ").split(". ")[-1].startswith("do ") for line in shown.splitlines())


@pytest.mark.parametrize(
    ("text", "question", "held"),
    [
        ("word " * 900 + "a needle in hay " + "word " * 900, "needle", "needle in hay"),
        (
            "今天天气很好。" * 100 + "我把钥匙放在红色的盒子里。" + "我们去公园散步。" * 100,
            "钥匙放在哪里",
            "钥匙放在红色",
        ),
        ("天" * 900 + "钥匙" + "地" * 900, "钥匙", "钥匙"),
        ("Привет! " * 100 + "Мой паспорт лежит в столе. " + "Спасибо! " * 100, "где паспорт", "паспорт лежит в столе"),
    ],
    ids=["one sentence", "Chinese", "no punctuation", "Russian"],
)
def test_every_script_is_cut_around_the_terms(text, question, held):
    """A sentence of 2,000 words is divided, so is a script without spaces."""
    shown = cut(text, question, 120, count=len)

    assert held in shown
    assert len(shown) <= 120


@given(st.lists(texts, max_size=12).map(" ".join), texts, st.integers(1, 80))
@example("x" * 400, "x", 10)
@example("   ", "", 1)
def test_what_is_cut_fits_and_was_said(text, question, most):
    """Within the tokens, in its order, and nothing but ellipses added."""
    shown = cut(text, question, most, count=len)

    assert len(shown) <= most
    rest = "".join(text.split())
    for part in "".join(shown.split()).replace(ELLIPSIS, "\0").split("\0"):
        found = rest.find(part)
        assert found >= 0
        rest = rest[found + len(part) :]


@given(texts, st.integers(1, 200))
def test_pieces_join_to_the_text(text, longest):
    """Nothing falls between two pieces."""
    spans = pieces(text, longest)

    assert "".join(text[start:end] for start, end in spans) == text
