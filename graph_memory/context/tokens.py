"""Token counters: tiktoken where it applies and is on this machine, else an estimate that says it is one.

A message costs its text, its name, its tool calls and its framing, by OpenAI's documented scheme: 3 tokens a message, 1
for the role, 1 and its own tokens for a name, and 3 once for the reply's priming. Pictures and files cost a fixed
estimate, for no provider counts their base64 text. Nothing here asks the network.
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage

from graph_memory.context.counting import CachedCounter
from graph_memory.context.encodings import encodings_for, is_local, text_counter
from graph_memory.context.ledger import EMPTY, Ledger, extended
from graph_memory.errors import ConfigurationError
from graph_memory.types import TokenCounter

REPLY_TOKENS = 3
MESSAGE_TOKENS = 4
NAME_TOKENS = 1
CALL_TOKENS = 3
"""Framing of one tool call, and of the id that links a result to it."""

IMAGE_TOKENS = 765
"""A picture: 85 and four tiles of 170, what OpenAI documents for 1024 x 1024 pixels."""

LOW_DETAIL_TOKENS = 85
FILE_TOKENS = 1500
"""A file, a sound or a film: about one page of a PDF, or a minute of speech."""

CHARACTERS_PER_TOKEN = {"claude": 3.5, "anthropic": 3.5, "gemini": 4.0, "google": 4.0}
DEFAULT_CHARACTERS_PER_TOKEN = 4.0

HALF_TOKEN = re.compile("[\u0370-\u07ff]+")
ONE_TOKEN = re.compile("[\u0800-\u1dff\u2070-\uffff]+")
TWO_TOKENS = re.compile("[\U00010000-\U0010ffff]+")

IMAGES = frozenset({"image", "image_url", "input_image"})
FILES = frozenset({"audio", "document", "file", "input_audio", "input_file", "media", "video"})
CALL_BLOCKS = frozenset({"function_call", "tool_call", "tool_use"})
"""Blocks that repeat what stands in `tool_calls`; they are sent, and counted, once."""


def token_counter(model: str | None = None) -> TokenCounter:
    """The best counter for `model` that works on this machine without the network.

    Args:
        model: a model's name, with or without its provider ("gpt-4o", "openai:gpt-4o", "anthropic:claude-sonnet-4-5").
            None counts by OpenAI's newest general encoding that is present.

    Returns:
        The same counter, with the same cache, each time one is asked for the same encoding.
    """
    for name in encodings_for(model):
        if is_local(name):
            return _tiktoken_counter(name)
    return _estimate_counter(characters_per_token(model or ""))


def estimating_counter(characters_per_token: float, *, note: str = "") -> TokenCounter:
    """A counter that estimates at that many characters a token, with a cache of its own; `note` ends its name."""
    name = f"estimate:{characters_per_token} characters a token{note}"
    return CachedCounter(name, False, REPLY_TOKENS, estimator(characters_per_token), count_fields)


def counter_from(function: Callable[[str], int], *, name: str = "", exact: bool = True) -> TokenCounter:
    """A counter around a text counter of your own, such as a provider's tokenizer; messages get OpenAI's framing.

    Args:
        function: tokens of a bare text.
        name: what a person reads; the function's own name when left out.
        exact: whether `function` counts as the provider does.

    Raises:
        ConfigurationError: it is no function.
    """
    if not callable(function):
        raise ConfigurationError(f"counter_from takes a function of a text, got a {type(function).__name__}")
    return CachedCounter(name or getattr(function, "__name__", "custom"), exact, REPLY_TOKENS, function, count_fields)


def message_tokens(messages: Iterable[BaseMessage], counter: TokenCounter) -> list[int]:
    """Tokens of each message, in order. Counters of this module take many at once."""
    if isinstance(counter, CachedCounter):
        return counter.count_messages(messages)
    return [counter.count_message(message) for message in messages]


def ledger_of(messages: Sequence[BaseMessage], counter: TokenCounter) -> Ledger:
    """What a thread costs, message by message. Counters of this module remember it from call to call."""
    if isinstance(counter, CachedCounter):
        return counter.ledger(messages)
    return extended(EMPTY, messages, lambda some: message_tokens(some, counter))


def count_fields(fields: Mapping[str, Any], count_text: Callable[[str], int]) -> int:
    """Tokens of a message given by its fields, framing included."""
    calls = [*(fields.get("tool_calls") or ()), *(fields.get("invalid_tool_calls") or ())]
    tokens = MESSAGE_TOKENS + _content_tokens(fields["content"], {call.get("id") for call in calls}, count_text)
    tokens += sum(_call_tokens(call, count_text) for call in calls)
    if name := fields.get("name"):
        tokens += NAME_TOKENS + count_text(name)
    if call_id := fields.get("tool_call_id"):
        tokens += CALL_TOKENS + count_text(call_id)
    return tokens


def _content_tokens(content: str | list[Any], call_ids: set[str | None], count_text: Callable[[str], int]) -> int:
    if isinstance(content, str):
        return count_text(content) if content else 0
    return sum(_block_tokens(block, call_ids, count_text) for block in content)


def _block_tokens(block: Any, call_ids: set[str | None], count_text: Callable[[str], int]) -> int:
    if isinstance(block, str):
        return count_text(block)
    kind = block.get("type")
    if kind in CALL_BLOCKS and (block.get("id") in call_ids or block.get("call_id") in call_ids):
        return 0
    if kind in IMAGES:
        return _image_tokens(block)
    if isinstance(block.get("text"), str):
        return count_text(block["text"])
    return FILE_TOKENS if kind in FILES else count_text(json.dumps(block, default=str, ensure_ascii=False))


def _image_tokens(block: Mapping[str, Any]) -> int:
    picture = block.get("image_url")
    detail = picture.get("detail") if isinstance(picture, Mapping) else block.get("detail")
    return LOW_DETAIL_TOKENS if detail == "low" else IMAGE_TOKENS


def _call_tokens(call: Mapping[str, Any], count_text: Callable[[str], int]) -> int:
    arguments = call.get("args")
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, default=str, ensure_ascii=False)
    return CALL_TOKENS + count_text(call.get("name") or "") + count_text(text) + count_text(call.get("id") or "")


def characters_per_token(model: str) -> float:
    """What an estimate for `model` starts from."""
    lowered = model.lower()
    return next((v for k, v in CHARACTERS_PER_TOKEN.items() if k in lowered), DEFAULT_CHARACTERS_PER_TOKEN)


@functools.cache
def _tiktoken_counter(encoding: str) -> CachedCounter:
    return CachedCounter(f"tiktoken:{encoding}", True, REPLY_TOKENS, text_counter(encoding), count_fields)


@functools.cache
def _estimate_counter(characters_per_token: float) -> TokenCounter:
    return estimating_counter(characters_per_token)


def estimator(characters_per_token: float) -> Callable[[str], int]:
    """A text counter that estimates, on the safe side where a script needs more tokens than English does.

    Latin text counts by `characters_per_token`; Greek, Cyrillic, Hebrew and Arabic two characters a token; every other
    script, Chinese and Japanese among them, one; emoji and rare scripts two tokens a character.
    """

    def estimate(text: str) -> int:
        if text.isascii():
            return math.ceil(len(text) / characters_per_token)
        half, one, two = (sum(map(len, script.findall(text))) for script in (HALF_TOKEN, ONE_TOKEN, TWO_TOKENS))
        latin = len(text) - half - one - two
        return math.ceil(latin / characters_per_token + half / 2 + one + two * 2)

    return estimate
