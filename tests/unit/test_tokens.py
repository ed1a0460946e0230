"""Token counters: what a message costs, and the network that is never asked."""

from __future__ import annotations

import hashlib
import socket
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from graph_memory.context import encodings, tokens
from graph_memory.context.tokens import (
    FILE_TOKENS,
    IMAGE_TOKENS,
    LOW_DETAIL_TOKENS,
    MESSAGE_TOKENS,
    counter_from,
    estimator,
    token_counter,
)

WORDS = counter_from(lambda text: len(text.split()), name="words")
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}


@pytest.fixture
def no_encodings(monkeypatch, tmp_path):
    """A machine where tiktoken has cached nothing, and where every connection fails the test."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("counting tokens touched the network")

    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(encodings.registry, "ENCODINGS", {})
    return tmp_path


@pytest.mark.parametrize("model", [None, "gpt-4o", "openai:gpt-4", "claude-sonnet-4-5", "unheard-of"])
def test_without_a_cached_encoding_the_network_is_not_asked(no_encodings, model):
    """The counter says that it estimates."""
    counter = token_counter(model)

    assert not counter.exact
    assert counter.name.startswith("estimate")
    assert counter.count_message(HumanMessage("hello there")) > MESSAGE_TOKENS


def test_a_broken_cache_file_is_not_handed_to_tiktoken(no_encodings):
    """tiktoken would delete it and download it again."""
    for url in ("cl100k_base", "o200k_base"):
        full = f"https://openaipublic.blob.core.windows.net/encodings/{url}.tiktoken"
        (no_encodings / hashlib.sha1(full.encode()).hexdigest()).write_bytes(b"not an encoding")

    assert not token_counter("gpt-4o").exact
    assert len(list(no_encodings.iterdir())) == 2


@pytest.mark.parametrize("variable", ["TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"])
def test_a_cache_that_is_switched_off_counts_as_empty(monkeypatch, variable):
    """An empty variable tells tiktoken to download each time."""
    for name in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "")

    assert encodings.cache_folder() is None
    assert not encodings.is_cached("o200k_base")


def test_the_cache_folder_is_where_tiktoken_looks(monkeypatch, tmp_path):
    """First its own variable, then the older one, then the temporary folder."""
    monkeypatch.setenv("DATA_GYM_CACHE_DIR", str(tmp_path / "old"))
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "new"))
    assert encodings.cache_folder() == tmp_path / "new"
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR")
    assert encodings.cache_folder() == tmp_path / "old"
    monkeypatch.delenv("DATA_GYM_CACHE_DIR")
    assert encodings.cache_folder().name == "data-gym-cache"


def test_every_encoding_of_tiktoken_says_where_its_file_is():
    """The lookup reads tiktoken's own constructors; a version that hides its urls would be noticed here."""
    for name in encodings.DEFAULT_ENCODINGS:
        encodings.tiktoken.list_encoding_names()
        constants = list(encodings._texts(encodings.registry.ENCODING_CONSTRUCTORS[name].__code__))
        assert any(text.endswith(f"{name}.tiktoken") for text in constants)
        assert any(encodings.SHA256.fullmatch(text) for text in constants)


def test_a_cached_encoding_counts_exactly(monkeypatch):
    """With the file present, tiktoken counts, special tokens as plain text."""
    if not encodings.is_local("cl100k_base"):
        pytest.skip("the encoding cl100k_base is not cached on this machine")
    counter = token_counter("gpt-4")

    assert counter.exact
    assert counter.name == "tiktoken:cl100k_base"
    assert counter.count_text("hello world") == 2
    assert counter.count_text("<|endoftext|>") > 1
    assert token_counter("openai:gpt-4") is counter


@pytest.mark.parametrize(
    ("model", "characters"),
    [
        ("claude-sonnet-4-5", 3.5),
        ("anthropic:claude-opus", 3.5),
        ("google_genai:gemini-2.5-flash", 4.0),
        ("llama", 4.0),
    ],
)
def test_estimates_differ_by_provider(model, characters):
    """Anthropic's tokens are shorter."""
    counter = token_counter(model)

    assert not counter.exact
    assert str(characters) in counter.name
    assert counter.count_text("x" * 700) == 700 / characters


@pytest.mark.parametrize(
    ("text", "least"),
    [("今天天气很好", 6), ("Привет, как дела", 6), ("안녕하세요", 5), ("👩‍👩‍👧🎉", 8), ("été", 1), ("", 0)],
)
def test_estimates_are_careful_with_other_scripts(text, least):
    """Four characters a token would be far too few for Chinese."""
    assert estimator(4.0)(text) >= least


def test_a_message_costs_its_framing_and_text():
    """Three tokens a message, one for the role."""
    assert WORDS.count_message(HumanMessage("one two three")) == MESSAGE_TOKENS + 3
    assert WORDS.count_message(HumanMessage("")) == MESSAGE_TOKENS
    assert WORDS.overhead == 3


def test_a_name_costs_one_and_its_tokens():
    """By OpenAI's scheme."""
    assert WORDS.count_message(HumanMessage("hi", name="Ada Lovelace")) == MESSAGE_TOKENS + 1 + 3


def test_tool_calls_cost_their_name_arguments_and_ids():
    """A call is text to the provider, and so is its result's link."""
    bare = AIMessage("")
    calling = AIMessage("", tool_calls=[{"name": "find", "args": {"query": "a b c"}, "id": "call-1"}])
    malformed = AIMessage("", invalid_tool_calls=[{"name": "find", "args": "{a", "id": "1", "error": "no json"}])

    assert WORDS.count_message(calling) > WORDS.count_message(bare) + 5
    assert WORDS.count_message(malformed) > WORDS.count_message(bare)
    assert WORDS.count_message(ToolMessage("a", tool_call_id="call-1")) > WORDS.count_message(HumanMessage("a"))


def test_a_call_that_stands_in_the_content_too_is_counted_once():
    """Anthropic repeats tool calls as content blocks."""
    calls = [{"name": "find", "args": {"query": "a b c"}, "id": "1"}]
    block = {"type": "tool_use", "id": "1", "name": "find", "input": {"query": "a b c"}}

    twice = AIMessage([{"type": "text", "text": "hm"}, block], tool_calls=calls)
    once = AIMessage([{"type": "text", "text": "hm"}], tool_calls=calls)

    assert WORDS.count_message(twice) == WORDS.count_message(once)


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (PICTURE, IMAGE_TOKENS),
        ({"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}}, LOW_DETAIL_TOKENS),
        ({"type": "image", "source": {"type": "base64", "data": "A" * 9999}}, IMAGE_TOKENS),
        ({"type": "file", "base64": "A" * 9999}, FILE_TOKENS),
        ({"type": "input_audio", "input_audio": {"data": "A" * 9999}}, FILE_TOKENS),
        ("three plain words", 3),
        ({"type": "text", "text": "three plain words"}, 3),
    ],
)
def test_blocks_cost_their_text_or_a_fixed_estimate(block, expected):
    """Never nothing, and never the length of base64."""
    assert WORDS.count_message(HumanMessage([block])) == MESSAGE_TOKENS + expected


def test_an_unknown_block_costs_its_json():
    """What is not understood is sent as it is."""
    message = HumanMessage([{"type": "hologram", "depth": "two words"}])

    assert WORDS.count_message(message) > MESSAGE_TOKENS


def test_lone_surrogates_and_control_characters_are_counted():
    """Nothing that fits a Python string raises."""
    for counter in (token_counter(), token_counter("claude"), WORDS):
        assert counter.count_message(HumanMessage("\ud800 \x00 <|endoftext|> <|im_start|>")) > MESSAGE_TOKENS


def test_a_counter_of_ones_own_is_named():
    """Its function's name, unless another is given."""

    def my_tokenizer(text: str) -> int:
        return len(text)

    assert counter_from(my_tokenizer).name == "my_tokenizer"
    assert counter_from(len, name="characters", exact=False).exact is False


def test_counters_are_shared():
    """Asking twice gives the same cache."""
    assert token_counter("claude-3") is token_counter("claude-4")
    assert tokens.token_counter("gemini") is not token_counter("claude-3")
