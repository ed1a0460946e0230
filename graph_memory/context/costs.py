"""What model calls cost: the usage that responses report, and its price in US dollars. Nothing here asks the network.

Prices come from the package `genai-prices`, from the list that it ships; a program that runs its updater gets the newer ones.
A model that is on no list is priced by `DEFAULT_PRICE`, and its cost says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Literal

from graph_memory.errors import ConfigurationError, MissingExtraError

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from graph_memory.types import TokenCounter

PriceSource = Literal["list", "override", "default"]
"""Where a price came from: the package's list, the caller's own prices, or the default for unknown models."""

PER = 1_000_000
DEFAULT: Final = "default"
"""The key of one's own prices that replaces `DEFAULT_PRICE`."""

_CACHE_WRITES = ("cache_creation", "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens of one model call.

    Attributes:
        input_tokens: what was sent, cached tokens included.
        output_tokens: what was answered, reasoning included.
        cached_tokens: the part of `input_tokens` that the provider read from its prompt cache.
        cache_write_tokens: the part of `input_tokens` that the provider wrote into it, where it charges for that.
        model: the model's name, best with its provider ("openai:gpt-4o").
        is_estimated: whether the tokens were counted here, because the response reported none.

    Raises:
        ConfigurationError: a number is negative, or the parts exceed the input.
    """

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    model: str = ""
    is_estimated: bool = False

    def __post_init__(self) -> None:
        if min(self.input_tokens, self.output_tokens, self.cached_tokens, self.cache_write_tokens) < 0:
            raise ConfigurationError(f"a usage of {self.model!r} has a negative number of tokens: count from 0")
        if self.cached_tokens + self.cache_write_tokens > self.input_tokens:
            raise ConfigurationError(
                f"a usage of {self.model!r} has more cached tokens than input tokens: input_tokens includes them"
            )

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, in US dollars per million tokens.

    Attributes:
        input: for tokens that are sent.
        output: for tokens that are answered.
        cached: for tokens that are read from the prompt cache; None: as `input`.
        cache_write: for tokens that are written into it; None: as `input`.

    Raises:
        ConfigurationError: a price is negative or no finite number.
    """

    input: float
    output: float
    cached: float | None = None
    cache_write: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            dollars = getattr(self, field.name)
            if dollars is not None and not (math.isfinite(dollars) and dollars >= 0):
                raise ConfigurationError(
                    f"the {field.name} price is {dollars}: give dollars per million tokens, from 0"
                )

    def cost(self, usage: Usage, *, source: PriceSource) -> Cost:
        """What the usage costs at this price."""
        cached = self.input if self.cached is None else self.cached
        written = self.input if self.cache_write is None else self.cache_write
        plain = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens
        sent = plain * self.input + usage.cached_tokens * cached + usage.cache_write_tokens * written
        return Cost(sent / PER, usage.output_tokens * self.output / PER, usage.model, source)


DEFAULT_PRICE = Price(0.55, 2.19)
"""For models whose price nobody knows."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one model call cost, in US dollars.

    Attributes:
        input_dollars, output_dollars: for what was sent and for what was answered.
        model: as in the usage.
        source: where the price came from.
    """

    input_dollars: float
    output_dollars: float
    model: str = ""
    source: PriceSource = "list"

    @property
    def dollars(self) -> float:
        """Input and output together."""
        return self.input_dollars + self.output_dollars

    @property
    def is_known(self) -> bool:
        """False when the model is on no list, so that the price is only the default one."""
        return self.source != DEFAULT


def usage_of(message: BaseMessage) -> Usage | None:
    """The usage that a model reported with its answer, by LangChain's `usage_metadata`; None when it reported none.

    Tokens that Anthropic writes into its cache for an hour count like those for five minutes.
    """
    reported = getattr(message, "usage_metadata", None)
    if not reported:
        return None
    details: Mapping[str, Any] = reported.get("input_token_details") or {}
    sent = max(0, reported.get("input_tokens") or 0)
    cached = min(sent, max(0, details.get("cache_read") or 0))
    written = min(sent - cached, sum(max(0, details.get(name) or 0) for name in _CACHE_WRITES))
    return Usage(sent, max(0, reported.get("output_tokens") or 0), cached, written, model_of(message))


def estimated_usage(sent_tokens: int, answer: BaseMessage, *, counter: TokenCounter, model: str = "") -> Usage:
    """A usage for an answer that reported none: the context's tokens, and the answer as `counter` counts it."""
    return Usage(sent_tokens, counter.count_message(answer), model=model or model_of(answer), is_estimated=True)


def model_of(message: BaseMessage) -> str:
    """Which model answered, with its provider where the response names it; "" when it names none."""
    told = message.response_metadata
    name = told.get("model_name") or told.get("model") or ""
    provider = told.get("model_provider") or ""
    return f"{provider}:{name}" if provider and name else str(name)


def cost_of(usage: Usage, *, overrides: Mapping[str, Price] | None = None, at: datetime | None = None) -> Cost:
    """What a usage costs.

    Args:
        usage: the tokens.
        overrides: prices of one's own by model, with or without the provider; "default" is for models on no list.
        at: when the call was made, for prices that change by date or hour; now when left out.

    Raises:
        MissingExtraError: the price is needed from the list, and `genai-prices` is not installed.
    """
    if _own_price(usage.model, overrides or {}) is not None:
        return default_cost(usage, overrides=overrides)
    prices = _price_list()
    for provider, model in _spellings(usage.model):
        try:
            return _listed(prices, usage, provider, model, at)
        except LookupError:
            continue
    return default_cost(usage, overrides=overrides)


def default_cost(usage: Usage, *, overrides: Mapping[str, Price] | None = None) -> Cost:
    """What a usage costs by one's own prices, or else by the default price; the list of prices is not asked."""
    own = _own_price(usage.model, overrides or {})
    if own is not None:
        return own.cost(usage, source="override")
    return (overrides or {}).get(DEFAULT, DEFAULT_PRICE).cost(usage, source=DEFAULT)


def _listed(prices: ModuleType, usage: Usage, provider: str | None, model: str, at: datetime | None) -> Cost:
    tokens = prices.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens,
    )
    found = prices.calc_price(tokens, model, provider_id=provider, genai_request_timestamp=at)
    # What some models cost per request is in the total only.
    output = float(found.output_price)
    return Cost(float(found.total_price) - output, output, usage.model)


def _own_price(model: str, overrides: Mapping[str, Price]) -> Price | None:
    names = (model, model.partition(":")[2], model.rpartition("/")[2])
    return next((overrides[name] for name in names if name in overrides and name != DEFAULT), None)


def _spellings(model: str) -> Iterator[tuple[str | None, str]]:
    """The ways to read a model's name as provider and model; a colon may also belong to the name ("llama3:8b").

    A name is never looked up without the provider that it names: what a local server gives away, others sell.
    """
    for mark in (":", "/"):
        provider, found, name = model.partition(mark)
        if found and provider != "models":
            yield provider, name.removeprefix("models/")
    yield None, model.removeprefix("models/")


def _price_list() -> ModuleType:
    try:
        import genai_prices
    except ImportError as exc:
        raise MissingExtraError("the list of model prices", "costs") from exc
    return genai_prices
