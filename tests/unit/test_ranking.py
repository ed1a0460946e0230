"""Which memos answer a question: each signal by itself, and what they mean together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_memory.context import ranking
from graph_memory.context.notes import Note, note_of
from graph_memory.context.question import Corpus, read_question
from graph_memory.context.ranking import SIGNALS, Candidates, RankingWeights, rank
from graph_memory.errors import ConfigurationError
from graph_memory.types import Memo, Origin

FIRST_DAY = datetime(2023, 5, 1, tzinfo=UTC)
PLAIN = RankingWeights()


def note(text: str, speaker: str = "Ann", *, role: str = "person", at: int = 0, day: int = 0, **more: Any) -> Note:
    """What somebody said `day` days after 1 May 2023, at place `at` of one session."""
    memo = Memo(str(at), text, Origin("r", seq=at), FIRST_DAY + timedelta(days=day), speaker=speaker, role=role)
    return note_of(replace(memo, **{"session": "s", **more}).to_value())


def chat(*said: tuple[str, str], role: dict[str, str] | None = None) -> list[Note]:
    """A conversation: speaker and text, each beside its neighbours, one a day."""
    texts = ["", *(text for _, text in said), ""]
    return [
        note(text, who, role=(role or {}).get(who, "person"), at=i, day=i, before=texts[i], after=texts[i + 2])
        for i, (who, text) in enumerate(said)
    ]


def asking(question: str, notes: Sequence[Note], **more: Any) -> Candidates:
    """The notes as candidates for a question, all that there is being candidates."""
    speakers = {one.speaker: one.role for one in notes}
    years = tuple({datetime.fromordinal(one.day).year for one in notes})
    corpus = Corpus(len(notes), {}, speakers, years)
    asked = read_question(question, corpus)
    corpus = replace(corpus, frequencies={term: sum(term in one.own for one in notes) for term in asked.terms})
    return Candidates(notes, read_question(question, corpus), corpus, **more)


def best(question: str, notes: Sequence[Note], **more: Any) -> int:
    """Place of the note that answers best, which no other ties with."""
    relevance, _ = rank(asking(question, notes, **more), PLAIN)
    order = np.argsort(-relevance)
    assert relevance[order[0]] > relevance[order[1]]
    return int(order[0])


ASSISTED = {"User": "human", "Assistant": "ai"}


def test_words_count_by_how_rare_they_are_and_less_in_long_memos():
    """BM25: the rare word wins over the common one, the short memo over the long one."""
    notes = [note("a dog ran"), note("a dog and a zebra"), note("the dog " + "walks on and on " * 9), note("cat")]
    common, both, long, none = ranking.words(asking("dog zebra", notes))

    assert both > common > long > none == 0


def test_coverage_is_the_share_of_the_question_that_stands_in_the_memo_or_beside_it():
    """The neighbours' words count as much; 1 when everything is there."""
    notes = [note("red bicycle"), note("bicycle", before="red"), note("red"), note("green")]

    scores = ranking.coverage(asking("red bicycle", notes))
    assert scores[0] == scores[1] == 1 > scores[2] > scores[3] == 0


def test_answer_counts_the_words_of_the_question_before():
    """Only of questions, not of whatever stands before."""
    notes = [note("Blue.", before="Nice. Which paint did you buy?"), note("Blue.", before="We talked of paint.")]

    asked, told = ranking.answer(asking("paint", notes))
    assert asked > told == 0


def test_meaning_is_measured_in_standard_deviations():
    """A memo without a vector is neither near nor far; without an embedder none is."""
    c = asking("x", [note("a"), note("b"), note("c")], cosines=np.array([0.5, np.nan, 0.1]))
    c = replace(c, corpus=replace(c.corpus, spread=(0.2, 0.1)))

    assert ranking.meaning(c).tolist() == pytest.approx([3, 0, -1])
    assert ranking.meaning(replace(c, cosines=None)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("deviation", [0.0, 1e-9])
def test_memos_that_are_all_alike_are_not_told_apart_by_the_last_decimals(deviation):
    """A spread that was measured on copies is no measure."""
    c = asking("x", [note("a"), note("b")], cosines=np.array([0.4, 0.4001]))
    scores = ranking.meaning(replace(c, corpus=replace(c.corpus, spread=(0.4, deviation))))

    assert abs(scores).max() < 0.01


def test_speaker_is_whom_the_question_is_about():
    """By name; a transcript inside a memo speaks for whom it names."""
    notes = [note("hello", "Ann"), note("hello", "Bob"), note("Ann: hello", "User")]
    voices = [frozenset({"Ann"}), frozenset({"Bob"}), frozenset({"User", "Ann"})]

    assert ranking.speaker(asking("What did Ann say?", notes)).tolist() == [1, 0, 0]
    assert ranking.speaker(asking("What did Ann say?", notes, voices=voices)).tolist() == [1, 0, 1]


def test_statement_is_held_against_what_asks():
    """Except against a user, whose requests to an assistant tell as well."""
    people = [note("I am."), note("I am. Are you?"), note("Are you?")]
    assisted = [note("Are you?", role="human"), note("Are you?", role="ai")]

    assert ranking.statement(asking("x", people)).tolist() == [0, -0.5, -1]
    assert ranking.statement(asking("x", assisted)).tolist() == [0, -1]


def test_date_falls_with_the_days_between():
    """1 within the time that is named, less before and after it; nothing when none is named."""
    notes = [note("a", day=day) for day in (-40, -2, 3, 32, 90)]

    scores = ranking.date(asking("What happened in May 2023?", notes)).tolist()
    assert scores[2] == 1 > 0.6 > scores[1] == scores[3] > scores[0] > scores[4] > 0
    assert ranking.date(asking("What happened?", notes)).tolist() == [0] * 5


def test_told_time_is_a_memo_that_tells_of_the_time():
    """Said in July of "last month", and found for June; a whole year does not pin it down."""
    notes = [note("we moved last month", day=70), note("we moved", day=70), note("we moved in 2023", day=70)]

    assert ranking.told_time(asking("Who moved in June 2023?", notes)).tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("signal", "question", "other", "text"),
    [
        ("tells_time", "When did it rain?", "Where did it rain?", "It rained last week."),
        ("tells_number", "How many came?", "Who came?", "There were three."),
        ("tells_name", "Who came?", "When did they come?", "It was Bob."),
    ],
)
def test_a_question_of_a_kind_is_met_by_its_kind_of_answer(signal, question, other, text):
    """And by no other kind, nor by an answer that holds none."""
    notes = [note(text), note("it was good")]

    assert getattr(ranking, signal)(asking(question, notes)).tolist() == [1, 0]
    assert getattr(ranking, signal)(asking(other, notes)).tolist() == [0, 0]


def test_newest_runs_from_the_oldest_to_the_newest():
    """Only when the question asks how things are now; one candidate alone is not divided by zero."""
    notes = [note("a", day=day) for day in (0, 5, 10)]

    assert ranking.newest(asking("Where do you live now?", notes)).tolist() == [0, 0.5, 1]
    assert ranking.newest(asking("Where do you live now?", notes[:1])).tolist() == [0]
    assert ranking.newest(asking("Where did you live?", notes)).tolist() == [0, 0, 0]


def test_nearby_spreads_from_the_likely_to_what_stands_beside_them():
    """Less with every step, not beyond four, and not into another session."""
    notes = [*(note("x", at=at) for at in range(7)), note("x", at=1, session="other"), note("x", at=1)]
    scores = ranking.nearby(asking("x", notes), np.array([30.0, *[0.0] * 8]))

    assert scores[1] > scores[2] > scores[3] > scores[4] > scores[5] == scores[6] == scores[0]
    assert scores[7] == 0
    assert scores[8] == scores[1]


def test_every_signal_has_its_weight_and_its_part():
    """Each is found in the explanation under its name; nothing has no relevance."""
    _, parts = rank(asking("x", [note("a")]), PLAIN)

    assert {*parts} == {one.name for one in fields(RankingWeights)} == {*(s.__name__ for s in SIGNALS), "nearby"}
    assert rank(asking("x", []), PLAIN)[0].tolist() == []


@pytest.mark.parametrize("weight", [-0.1, math.nan, math.inf])
def test_a_weight_is_a_number_of_zero_or_more(weight):
    """The error names the weight."""
    with pytest.raises(ConfigurationError, match="weight date"):
        RankingWeights(date=weight)


def test_names_of_participants_do_not_decide():
    """Whoever is greeted by name is not the answer; what the person said of the matter is."""
    notes = chat(("Bob", "Melanie! Hi Melanie, how is Melanie?"), ("Melanie", "Fine."), ("Melanie", "I paint horses."))

    assert best("What does Melanie paint?", notes) == 2


def test_what_was_said_in_may_is_found_by_may():
    """The same words in other months come after."""
    notes = [note(f"we planted a tree, number {i}", at=10 * i, day=31 * i - 62) for i in range(5)]

    assert best("What did we plant in May 2023?", notes) == 2


def test_a_question_of_when_prefers_a_line_with_a_time():
    """Everything else being equal."""
    assert (
        best(
            "When did you adopt the puppy?",
            [note("I adopted a puppy gladly"), note("I adopted a puppy yesterday", at=9)],
        )
        == 1
    )


def test_an_answer_below_its_question_beats_the_question():
    """Although the question shares all the words and the answer none."""
    notes = chat(
        ("Ann", "Nice weather."),
        ("Ann", "Which instrument do you play?"),
        ("Bob", "The clarinet, since school."),
        ("Ann", "Lovely."),
    )

    assert best("Which instrument does Bob play?", notes) == 2


def test_long_answers_are_judged_by_their_best_passage():
    """The words stand together in one passage, or scattered over a long answer: together is better."""
    filler = "This is another sentence that talks about something else. " * 12
    together = note(f"{filler}The Lisbon hotel has a rooftop pool. {filler}")
    scattered = note(
        f"Lisbon is big. {filler}A hotel is nice. {filler}The rooftop is new. {filler}A pool is wet.", at=9
    )

    assert best("Lisbon hotel with rooftop pool", [scattered, together]) == 1


def test_i_prefers_the_users_lines_and_you_the_assistants():
    """In a conversation with an assistant."""
    notes = chat(("Assistant", "A bike is good."), ("User", "A bike is good."), role=ASSISTED)

    assert best("Which bike did I buy?", notes) == 1
    assert best("Which bike did you recommend?", notes) == 0


def test_questions_of_now_prefer_the_newest():
    """The last of several true answers."""
    notes = [note(f"I live in {town}", at=10 * i, day=100 * i) for i, town in enumerate(["Rome", "Oslo", "Lima"])]

    assert best("Where does she live now?", notes) == 2


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("Wann hat Jonas den Kurs gemacht?", ["Ich mag Kuchen.", "Den Kurs habe ich bestanden.", "Toll!"]),
        ("Wie heißt der Hund?", ["Das Wetter ist schön.", "Unser Hund heißt Bello.", "Ach so."]),
        ("何の楽器を弾きますか？", ["今日は暑いです。", "私はピアノという楽器を弾きます。", "いいですね。"]),
        ("黒猫の名前は？", ["天気がいい。", "黒猫の名前はタマです。", "そうですか。"]),
    ],
)
def test_german_and_japanese_work(question, said):
    """Cues of English are missing, which costs nothing."""
    assert best(question, chat(*zip(["Eva", "Jonas", "Eva"], said, strict=True))) == 1


SAID = ("dog", "cat", "Rome", "7 May", "last week", "three", "?", ".", "I", "you", "猫が好き")
lines = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(SAID), max_size=12).map(" ".join))
asked_notes = st.builds(
    note,
    lines,
    st.sampled_from(["Ann", "User", ""]),
    role=st.sampled_from(["human", "ai", "person"]),
    at=st.integers(0, 9),
    day=st.integers(-700_000, 2_900_000),
    before=lines,
    after=lines,
    session=st.sampled_from(["s", "t"]),
)
cosines = st.one_of(st.just(math.nan), st.floats(-1, 1))
spreads = st.tuples(st.floats(-1, 1), st.floats(0, 1))
weights = st.builds(RankingWeights, **{one.name: st.floats(0, 100) for one in fields(RankingWeights)})


@given(
    lines, st.lists(st.tuples(asked_notes, cosines), max_size=8), spreads, weights, st.randoms(use_true_random=False)
)
def test_relevance_is_a_share_that_does_not_depend_on_the_order(question, found, spread, given_weights, random):
    """Finite and within 0–1, whatever is asked; shuffled candidates keep theirs."""
    known = asking(question, [one for one, _ in found])
    corpus = replace(known.corpus, spread=spread)
    outcomes = []
    for some in (found, random.sample(found, len(found))):
        c = Candidates([one for one, _ in some], known.question, corpus, np.array([cosine for _, cosine in some]))
        relevance, parts = rank(c, given_weights)
        assert all(np.isfinite(values).all() for values in (relevance, *parts.values()))
        assert ((relevance >= 0) & (relevance <= 1)).all()
        outcomes.append(sorted(relevance))

    assert outcomes[0] == pytest.approx(outcomes[1], abs=1e-6)
