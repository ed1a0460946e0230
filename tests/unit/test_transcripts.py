"""Transcripts: every shape becomes messages, every fault one sentence, and the same file always the same ids."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.load import dumpd
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, message_to_dict

from graph_memory.errors import ConfigurationError
from graph_memory.extract.shapes import Entry, entry
from graph_memory.extract.transcripts import Fault, messages, read

ADA = {
    "id": "1",
    "session": 1,
    "said_at": "2025-02-04T21:34:00+00:00",
    "role": "user",
    "speaker": "Ada",
    "text": "Hello",
}
BOT = {"id": "2", "session": 1, "said_at": "2025-02-04T21:35:00+00:00", "role": "assistant", "text": "Hi Ada"}


def written(folder: Path, content: Any, name: str = "chat.json") -> Path:
    path = folder / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    elif name.endswith("l"):
        path.write_text("\n".join(json.dumps(value) for value in content), encoding="utf-8")
    else:
        path.write_text(json.dumps(content, indent=2), encoding="utf-8")
    return path


def heard(path: Path, *, conversation: int | None = None, human: str = "") -> list[BaseMessage]:
    items = list(read(path, conversation=conversation))
    assert not [item for item in items if isinstance(item, Fault)]
    return list(messages((item for item in items if isinstance(item, Entry)), human=human))


def faults(path: Path) -> list[str]:
    return [str(item) for item in read(path) if isinstance(item, Fault)]


def test_our_own_lines_keep_everything(tmp_path: Path):
    """Id, speaker, time and session arrive in the message."""
    first, second = heard(written(tmp_path, [ADA, BOT], "chat.jsonl"))

    assert (first.type, first.id, first.name, first.text) == ("human", "1", "Ada", "Hello")
    assert first.additional_kwargs == {"session": "1", "said_at": "2025-02-04T21:34:00+00:00"}
    assert (second.type, second.name) == ("ai", None)


TOOL_LOOP = [{"role": "assistant", "content": None, "tool_calls": []}, {"role": "tool", "content": "42"}]
OPENAI = {
    "messages": [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "Hello"}]},
        *TOOL_LOOP,
        {"role": "assistant", "content": "Hi"},
    ]
}


def node(role: str, text: str, parent: str, *children: str) -> dict[str, Any]:
    message = {"author": {"role": role}, "create_time": 1738704840.5, "content": {"parts": [text]}}
    return {"message": message, "parent": parent, "children": list(children)}


TREE = {
    "root": {"message": None, "parent": None, "children": ["a"]},
    "a": node("user", "Hello", "root", "b", "c"),
    "b": node("assistant", "an answer that was replaced", "a"),
    "c": node("assistant", "Hi", "a"),
}
CHATGPT = [{"title": "Trip", "current_node": "c", "mapping": TREE}]
CLAUDE_MESSAGES = [
    {"uuid": "1", "text": "Hello", "sender": "human"},
    {"uuid": "2", "text": "Hi", "sender": "assistant"},
]
CLAUDE = [{"uuid": "c", "name": "x", "chat_messages": CLAUDE_MESSAGES}]
SHAREGPT = {"conversations": [{"from": "human", "value": "Hello"}, {"from": "gpt", "role": "assistant", "value": "Hi"}]}
LANGCHAIN = [message_to_dict(HumanMessage("Hello", id="1")), message_to_dict(AIMessage("Hi"))]


@pytest.mark.parametrize(
    "shape",
    [
        OPENAI,
        CHATGPT,
        CLAUDE,
        SHAREGPT,
        LANGCHAIN,
        [dumpd(HumanMessage("Hello")), dumpd(AIMessage("Hi"))],
        {"turns": [ADA, BOT]},
    ],
    ids=["openai", "chatgpt", "claude", "sharegpt", "messages_to_dict", "dumpd", "turns"],
)
def test_exports_with_roles_are_understood(tmp_path: Path, shape: Any):
    """Each export of a chat with an assistant gives what the human and the assistant said, and no tool's output."""
    found = [m for m in heard(written(tmp_path, shape)) if m.type != "system"]

    assert [m.type for m in found] == ["human", "ai"]
    assert found[0].text == "Hello"
    assert found[1].text.startswith("Hi")


TELEGRAM_MESSAGES = [
    {"id": 1, "type": "service", "date": "2025-02-04T21:00:00", "actor": "Ada", "text": ""},
    {"id": 2, "date": "2025-02-04T21:34:00", "from": "Ada", "text": ["See ", {"type": "link", "text": "this"}]},
    {"id": 3, "date": "2025-02-04T21:35:00", "date_unixtime": "1738704900", "from": "Bob", "text": "Nice"},
]
TELEGRAM = {"name": "Family", "type": "personal_chat", "id": 7, "messages": TELEGRAM_MESSAGES}
SLACK = [{"type": "message", "user": "U2", "text": "Nice", "ts": "1738704900.000200"},
         {"type": "message", "user": "U1", "text": "See this", "ts": "1738704840.000100"}]  # fmt: skip
WHATSAPP = [{"date": "2025-02-04T21:34:00.000Z", "author": "Ada", "message": "See this"},
            {"date": "2025-02-04T21:35:00.000Z", "author": "Bob", "message": "Nice"}]  # fmt: skip


PEOPLE = ["telegram", "telegram, all chats", "slack", "whatsapp"]


@pytest.mark.parametrize("shape", [TELEGRAM, {"chats": {"list": [TELEGRAM]}}, SLACK, WHATSAPP], ids=PEOPLE)
def test_people_among_themselves_take_turns(tmp_path: Path, shape: Any):
    """Whoever speaks first is the human, the other one answers; both keep their names and times."""
    first, second = heard(written(tmp_path, shape))

    assert (first.type, first.text, second.type, second.text) == ("human", "See this", "ai", "Nice")
    assert first.name in ("Ada", "U1")
    assert datetime.fromisoformat(first.additional_kwargs["said_at"]).replace(microsecond=0) == datetime(
        2025, 2, 4, 21, 34, tzinfo=UTC
    )


def test_somebody_called_fact_speaks(tmp_path: Path):
    """Only as a role is it what nobody said."""
    path = tmp_path / "said.jsonl"
    path.write_text('{"speaker": "Fact", "text": "Hello."}', encoding="utf-8")

    assert [message.text for message in messages(read(path))] == ["Hello."]


def test_the_human_can_be_named(tmp_path: Path):
    """With a name given, that speaker is the human, even when another one speaks first."""
    found = heard(written(tmp_path, WHATSAPP), human="Bob")

    assert [m.type for m in found] == ["ai", "human"]


def test_one_conversation_of_a_packed_data_set_is_chosen(tmp_path: Path):
    """Conversations are counted from one; ids and sessions of different conversations never meet."""
    turns = [
        {"id": "D1:1", "session": 1, "date": "2023-05-08T13:56", "speaker": "Ada", "text": "Look", "caption": "a cat"}
    ]
    data = {"name": "x", "conversations": [{"id": "a", "turns": turns}, {"id": "b", "turns": turns}]}
    path = written(tmp_path, gzip.compress(json.dumps(data).encode()), "data.json.gz")

    assert [m.id for m in heard(path)] == ["a/D1:1", "b/D1:1"]
    [chosen] = heard(path, conversation=2)
    assert (chosen.text, chosen.additional_kwargs["session"]) == ("Look [shares a cat]", "b/1")
    with pytest.raises(ConfigurationError, match=r"data\.json\.gz has no conversation 3"):
        list(read(path, conversation=3))


def test_bad_lines_come_out_in_their_place(tmp_path: Path):
    """Each is named by its line and reason; the good lines around them are there, and what was said is not quoted."""
    lines = [
        json.dumps(ADA),
        "{not json",
        '{"role": "user"}',
        "[1, 2]",
        '"secret"',
        '{"text": "secret"}',
        "",
        "\x00",
        json.dumps(BOT),
    ]
    path = written(tmp_path, "\n".join(lines), "chat.jsonl")

    found = faults(path)

    places = ["line 2", "line 3", "line 4, message 1", "line 4, message 2", "line 5", "line 6", "line 8"]
    assert [fault.split(":")[0] for fault in found] == places
    assert "not JSON" in found[0]
    assert "the text is missing" in found[1]
    assert "nobody is named as speaking" in found[5]
    assert not any("secret" in fault for fault in found)
    assert sum(isinstance(item, Entry) for item in read(path)) == 2


def test_a_broken_first_line_does_not_spoil_the_file(tmp_path: Path):
    """Whatever the file is called, lines that stand alone are read alone."""
    path = written(tmp_path, "{broken\n" + json.dumps(ADA) + "\n" + json.dumps(BOT), "chat.txt")

    assert len(faults(path)) == 1
    assert sum(isinstance(item, Entry) for item in read(path)) == 2


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "chat.json is empty"),
        ("  \n\n", "chat.json is empty"),
        ("[]", "chat.json is empty"),
        ("Hello there", "this is not JSON"),
        ('[{"role": "user"', "this is not JSON"),
        (b"\xff\xfe{\x00", "this is not UTF-8 text"),
        (gzip.compress(b'{"role": "user", "text": "x"}\n' * 50)[:-12], "damaged gzip"),
        ("[" * 100_000, "nested too deeply"),
    ],
    ids=["nothing", "blank", "no messages", "prose", "cut off", "utf-16", "damaged gzip", "too deep"],
)
def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path, content: Any, sentence: str):
    """The error names the file and what is wrong with it."""
    with pytest.raises(ConfigurationError, match=sentence):
        list(read(written(tmp_path, content)))


def test_a_shape_nobody_knows_is_a_fault(tmp_path: Path):
    """It says what was expected."""
    [fault] = faults(written(tmp_path, {"rows": [1, 2]}))

    assert "holds no conversation; expected a message such as" in fault


@pytest.mark.parametrize("date", ["yesterday", "08/05/2023, 13:56", {}, True, 1e300, "2023-13-01"])
def test_a_date_that_is_none_is_a_fault(date: Any):
    """A wrong time would be worse than none: it decides what is new."""
    with pytest.raises(ValueError, match="said_at is not a date"):
        entry({**ADA, "said_at": date}, 1)


@pytest.mark.parametrize(
    "date", [1738704840, 1738704840000, "1738704840.0", "2025-02-04T21:34:00Z", "2025-02-04T22:34:00+01:00"]
)
def test_times_in_every_usual_form_mean_the_same(date: Any):
    """Seconds, milliseconds, text and zones."""
    assert entry({**ADA, "said_at": date}, 1).said_at == datetime(2025, 2, 4, 21, 34, tzinfo=UTC)


def test_lines_without_ids_get_the_same_ones_again(tmp_path: Path):
    """Two equal lines are two messages, and a file that has grown keeps the ids of what it began with."""
    lines = [{"role": "user", "text": "again"}, {"role": "user", "text": "again"}]
    once = [m.id for m in heard(written(tmp_path, lines, "a.jsonl"))]
    grown = [m.id for m in heard(written(tmp_path, [*lines, BOT], "b.jsonl"))]

    assert len(set(once)) == 2
    assert grown[:2] == once


def test_one_id_for_two_texts_stays_two_messages(tmp_path: Path):
    """Nothing is overwritten because an export repeats an id."""
    found = heard(written(tmp_path, [ADA, {**ADA, "text": "Something else"}, ADA], "a.jsonl"))

    assert len({m.id for m in found}) == 2
    assert found[0].id == found[2].id == "1"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["text", "role", "user", "ts", "id", "messages", "mapping", "data", "parent", "x"]), inner
        )
    ),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=5))
def test_any_json_gives_entries_or_faults(tmp_path_factory: pytest.TempPathFactory, values: list[Any]):
    """No value makes the reader fail otherwise, and what it gives can be made into messages."""
    path = written(tmp_path_factory.mktemp("any"), values, "any.jsonl")

    try:
        found = list(read(path))
    except ConfigurationError:  # empty, and nothing else
        found = []
    for message in messages(item for item in found if isinstance(item, Entry)):
        assert message.id
        message.text.encode()
