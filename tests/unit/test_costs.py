"""Usage and its price: cached input, one's own prices, and models that nobody knows."""

from __future__ import annotations

import math
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage

from graph_memory.context.costs import (
    DEFAULT_PRICE,
    Price,
    Usage,
    cost_of,
    default_cost,
    estimated_usage,
    usage_of,
)
from graph_memory.errors import ConfigurationError, MissingExtraError
from tests.fakes import words_counter

MILLION = 1_000_000


def reported(details=None, **told):
    """An answer that reports 1,000 tokens in and 100 out."""
    usage = {"input_tokens": 1_000, "output_tokens": 100, "total_tokens": 1_100}
    if details is not None:
        usage["input_token_details"] = details
    return AIMessage("hello", usage_metadata=usage, response_metadata=told)


@pytest.mark.parametrize(
    ("model", "dollars_in", "dollars_out"),
    [
        ("gpt-4o", 2.50, 10.00),
        ("gpt-4o-mini", 0.15, 0.60),
        ("openai:gpt-4o", 2.50, 10.00),
        ("azure_openai:gpt-4o", 2.50, 10.00),
        ("openai/gpt-4o-mini", 0.15, 0.60),
        ("anthropic:claude-3-5-sonnet-20241022", 3.00, 15.00),
        ("google_genai:models/gemini-1.5-pro", 1.25, 5.00),
        ("models/gemini-1.5-flash", 0.075, 0.30),
    ],
)
def test_known_models_cost_what_the_list_says(model, dollars_in, dollars_out):
    """Prices are per million tokens, whichever way the model is spelt."""
    cost = cost_of(Usage(1_000, 1_000, model=model))

    assert cost.input_dollars * 1_000 == pytest.approx(dollars_in)
    assert cost.output_dollars * 1_000 == pytest.approx(dollars_out)
    assert cost.is_known
    assert cost.model == model


def test_cached_input_is_cheaper():
    """GPT-4o reads its cache at half the price; Claude charges for writing it."""
    assert cost_of(Usage(1_000, 0, 1_000, model="gpt-4o")).dollars == pytest.approx(1.25e-3)
    assert cost_of(Usage(1_000, 0, 0, 1_000, model="claude-sonnet-4-5")).dollars == pytest.approx(3.75e-3)


@pytest.mark.parametrize(
    "model", ["", "nobody-knows-me", "ollama:llama3", "llama3:8b", "ollama:gpt-4o", "default", "a:b/c"]
)
def test_an_unknown_model_costs_the_default_and_says_so(model):
    """0.55 and 2.19 dollars per million; a name is not looked up without the provider that it names."""
    cost = cost_of(Usage(MILLION, MILLION, model=model))

    assert (cost.input_dollars, cost.output_dollars) == (0.55, 2.19)
    assert not cost.is_known


def test_ones_own_prices_come_first():
    """By the full name or by the name without the provider; without a cached price, cached tokens cost as the others."""
    own = {"gpt-4o": Price(1.0, 2.0), "default": Price(9.0, 9.0)}

    cost = cost_of(Usage(MILLION, MILLION, 500_000, model="openai:gpt-4o"), overrides=own)

    assert cost.dollars == pytest.approx(3.0)
    assert cost.source == "override"
    assert cost_of(Usage(MILLION, 0, model="unknown"), overrides=own).dollars == pytest.approx(9.0)
    assert not cost_of(Usage(MILLION, 0, model="unknown"), overrides=own).is_known
    assert cost_of(Usage(MILLION, 0, model="default"), overrides=own).source == "default"


def test_a_price_that_changed_is_taken_by_date():
    """Opus 4.6 charged more for long inputs until March 2026; a call costs what it cost then."""
    long = Usage(500_000, 0, model="anthropic:claude-opus-4-6")

    before, after = (cost_of(long, at=datetime(2026, month, 1, tzinfo=UTC)).dollars for month in (3, 4))

    assert before > after


def test_without_the_package_the_pip_command_is_named(monkeypatch):
    """The list of prices is an extra; one's own prices need no list."""
    monkeypatch.setitem(sys.modules, "genai_prices", None)

    with pytest.raises(MissingExtraError, match=r"graph-memory\[costs\]"):
        cost_of(Usage(1, 1, model="gpt-4o"))
    assert cost_of(Usage(MILLION, 0, model="x"), overrides={"x": Price(1, 1)}).dollars == 1
    assert default_cost(Usage(MILLION, 0, model="gpt-4o")).dollars == DEFAULT_PRICE.input


def test_usage_is_read_from_an_answer():
    """Input contains what came from the cache and what went into it."""
    details = {"cache_read": 400, "cache_creation": 0, "ephemeral_5m_input_tokens": 100}

    usage = usage_of(reported(details, model_name="claude-sonnet-4-5", model_provider="anthropic"))

    assert usage == Usage(1_000, 100, 400, 100, "anthropic:claude-sonnet-4-5")
    assert usage.total_tokens == 1_100


def test_usage_is_read_from_streamed_chunks():
    """Chunks that LangChain added up report their sum."""
    chunks = AIMessageChunk("a", usage_metadata={"input_tokens": 5, "output_tokens": 1, "total_tokens": 6})
    chunks += AIMessageChunk("b", usage_metadata={"input_tokens": 0, "output_tokens": 2, "total_tokens": 2})

    assert usage_of(chunks) == Usage(5, 3)


@pytest.mark.parametrize("message", [AIMessage("x"), HumanMessage("x")])
def test_no_report_is_no_usage(message):
    """What was not reported is not invented."""
    assert usage_of(message) is None


def test_an_unreported_answer_can_be_estimated():
    """The context's tokens and the answer's, marked as an estimate."""
    usage = estimated_usage(50, AIMessage("three words here"), counter=words_counter(), model="m")

    assert usage == Usage(50, 7, model="m", is_estimated=True)


@given(
    details=st.dictionaries(
        st.sampled_from(["cache_read", "cache_creation", "ephemeral_1h_input_tokens"]),
        st.integers(-5, 5_000),
    )
)
def test_nonsense_in_a_report_still_has_a_price(details):
    """Cached parts never exceed the input, so that the price is a number from zero."""
    usage = usage_of(reported(details, model="gpt-4o"))

    assert usage is not None
    assert usage.cached_tokens + usage.cache_write_tokens <= usage.input_tokens
    assert 0 <= cost_of(usage).dollars < 1


@pytest.mark.parametrize(
    "wrong", [{"input_tokens": -1}, {"cached_tokens": 11}, {"cached_tokens": 6, "cache_write_tokens": 6}]
)
def test_impossible_usage_is_refused(wrong):
    """Negative tokens, and parts that exceed the whole."""
    with pytest.raises(ConfigurationError, match="tokens"):
        Usage(**{"input_tokens": 10, "output_tokens": 0, **wrong})


@pytest.mark.parametrize("wrong", [-1.0, math.nan, math.inf])
def test_impossible_prices_are_refused(wrong):
    """A price is a number from zero."""
    with pytest.raises(ConfigurationError, match="price"):
        Price(1.0, 1.0, cached=wrong)


tokens = st.integers(0, 10**7)


@given(plain=tokens, cached=tokens, out=tokens)
def test_a_cost_is_the_sum_of_its_parts(plain, cached, out):
    """Own prices: each kind of token by its price, nothing twice."""
    cost = Price(3.0, 15.0, 0.3).cost(Usage(plain + cached, out, cached), source="override")

    assert cost.dollars * MILLION == pytest.approx(plain * 3.0 + cached * 0.3 + out * 15.0)
