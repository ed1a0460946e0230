"""Estimates that learn from reported usage: they come near the truth, stay in bounds, and never touch exact counters."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage

from graph_memory.context import calibration as module
from graph_memory.context.calibration import BOUND, STEP, Calibration, family
from graph_memory.context.tokens import counter_from, token_counter

CLAUDE = "anthropic:claude-sonnet-4-5"
TEXT = "the quick brown fox jumps over the lazy dog. " * 40


def answer(text: str = TEXT, *, characters_per_token: float = 3.0, reasoning: int = 0, **more) -> AIMessage:
    """An answer whose provider counts that many characters a token."""
    tokens = round(len(text) / characters_per_token) + reasoning
    usage = {"input_tokens": 9_999, "output_tokens": tokens, "total_tokens": 9_999 + tokens}
    if reasoning:
        usage["output_token_details"] = {"reasoning": reasoning}
    return AIMessage(text, usage_metadata=usage, **more)


def taught(*answers: AIMessage, times: int = 1, model: str = CLAUDE) -> Calibration:
    """A calibration that saw each of the answers so many times."""
    calibration = Calibration()
    for _ in range(times):
        for one in answers:
            calibration.observe_answer(one, model=model)
    return calibration


def test_an_estimate_starts_from_what_the_provider_is_known_for():
    """3.5 characters a token for Anthropic, 4 for Gemini and for everybody else."""
    calibration = Calibration()

    starts = {
        model: calibration.characters_per_token(model) for model in (CLAUDE, "google_genai:gemini-2.5-pro", "llama3")
    }

    assert list(starts.values()) == [3.5, 4.0, 4.0]
    assert calibration.counter(CLAUDE) is token_counter(CLAUDE)


def test_an_estimate_comes_near_what_responses_report():
    """After fifty answers the estimate is within the step of the truth, and still says that it is one."""
    counter = taught(answer(characters_per_token=3.0), times=50).counter(CLAUDE)

    assert counter.count_text(TEXT) == pytest.approx(len(TEXT) / 3.0, rel=STEP + 0.01)
    assert not counter.exact
    assert counter.name.startswith("estimate:")
    assert "calibrated" in counter.name


def test_a_small_change_keeps_the_counter():
    """The counter, and with it the window, does not wander with every answer."""
    calibration = taught(answer(characters_per_token=3.4), times=50)

    assert calibration.counter(CLAUDE) is token_counter(CLAUDE)
    assert calibration.characters_per_token(CLAUDE) == pytest.approx(3.4, abs=0.01)


def test_a_counter_in_hand_never_changes():
    """A call that took its counter measures everything by it, whatever is learnt meanwhile."""
    calibration = taught(answer(characters_per_token=3.0), times=10)
    counter = calibration.counter(CLAUDE)
    before = counter.count_message(HumanMessage(TEXT))

    for _ in range(50):
        calibration.observe_answer(answer(characters_per_token=5.0), model=CLAUDE)

    assert counter.count_message(HumanMessage(TEXT)) == before
    assert calibration.counter(CLAUDE).count_message(HumanMessage(TEXT)) < before


def test_an_exact_counter_stays_exact(monkeypatch):
    """Where tokens can be counted, no report makes them an estimate."""
    exact = counter_from(len, name="exact", exact=True)
    monkeypatch.setattr(module, "token_counter", lambda model: exact)

    assert taught(answer(), times=50, model="gpt-4o").counter("gpt-4o") is exact


def test_models_of_one_family_learn_together():
    """What an answer of one Claude teaches holds for the next; for Gemini it does not."""
    calibration = taught(answer(characters_per_token=3.0), times=30, model="claude-haiku-4-5")

    assert calibration.counter(CLAUDE).name == calibration.counter("claude-opus-4").name
    assert calibration.counter("gemini-2.5-pro") is token_counter("gemini-2.5-pro")
    assert family("anthropic:x") == family("CLAUDE-3") == "claude"
    assert family("Llama3:8b") == "llama3:8b"


@pytest.mark.parametrize(
    "poor",
    [
        answer("short", characters_per_token=1.0),
        answer("да нет " * 200),
        answer(tool_calls=[{"name": "search", "args": {}, "id": "1"}], characters_per_token=2.0),
        AIMessage(TEXT),
        HumanMessage(TEXT),
        AIMessage("", usage_metadata={"input_tokens": 1, "output_tokens": 500, "total_tokens": 501}),
        answer(characters_per_token=float(len(TEXT) + 1)),
        answer(characters_per_token=1.0),
    ],
    ids=[
        "short",
        "another script",
        "tool calls",
        "no usage",
        "not an answer",
        "no text",
        "no tokens",
        "thought in silence",
    ],
)
def test_what_says_nothing_teaches_nothing(poor):
    """Answers whose tokens are not their text's leave the estimate alone."""
    assert taught(poor, times=20).characters_per_token(CLAUDE) == 3.5


def test_reasoning_is_not_taken_for_text():
    """Tokens that the model thought with are subtracted."""
    calibration = taught(answer(characters_per_token=3.5, reasoning=5_000), times=20)

    assert calibration.characters_per_token(CLAUDE) == pytest.approx(3.5, abs=0.01)


def test_an_answer_names_its_model_by_itself():
    """Without a name the response's own is taken."""
    calibration = Calibration()
    for _ in range(50):
        calibration.observe_answer(answer(response_metadata={"model_name": "claude-sonnet-4-5"}))

    assert calibration.counter(CLAUDE) is not token_counter(CLAUDE)


@given(reports=st.lists(st.tuples(st.text(max_size=400), st.integers(-10, 10**6)), max_size=30))
def test_the_average_stays_within_its_bounds(reports):
    """Nonsense in responses moves the estimate by a factor of one and a half at most."""
    calibration = Calibration()
    for text, tokens in reports:
        calibration.observe(text, tokens, model=CLAUDE)

    average = calibration.characters_per_token(CLAUDE)

    assert 3.5 / BOUND <= average <= 3.5 * BOUND
    assert calibration.counter(CLAUDE).count_text("a" * 700) >= 700 / (3.5 * BOUND)


def test_threads_teach_together():
    """Many threads at once leave a counter that counts."""
    calibration = Calibration()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: calibration.observe_answer(answer(), model=CLAUDE), range(200)))

    assert calibration.characters_per_token(CLAUDE) == pytest.approx(3.0, abs=0.01)


def test_new_models_are_bounded(monkeypatch):
    """A program that invents model names does not fill the memory."""
    monkeypatch.setattr(module, "MODELS", 3)
    calibration = Calibration()
    for index in range(10):
        calibration.observe(TEXT, len(TEXT) // 3, model=f"model-{index}")

    known = [index for index in range(10) if calibration.characters_per_token(f"model-{index}") != 4.0]

    assert known == [0, 1, 2]


def test_a_copied_builder_shares_what_was_learnt():
    """People deepcopy graph builders."""
    calibration = Calibration()

    assert copy.deepcopy(calibration) is calibration
