"""`graph-memory chat`: it goes on, it streams, it forgets, and it says what did not work."""

from __future__ import annotations

import pytest
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage

from graph_memory.cli.settings import Settings
from tests.commands import LINES, Command


def test_chat_goes_on_where_it_was_left(cli: Command):
    """What one run was told, the next one recalls; commands show the context and the memory."""
    cli("chat", stdin="My dog Rex is a beagle.\n")

    code, out, _ = cli("chat", stdin="What breed is my dog Rex?\n/context\n/memory beagle\n/quit\nnever heard\n")

    assert code == 0
    assert "going on after 2 messages" in out
    assert "“My dog Rex is a beagle.”" in out
    assert "of 4,000 tokens" in out
    assert "newest turns" in out
    assert all(len(line) <= 80 for line in out.splitlines())


def test_the_reader_does_not_quote_itself(cli: Command):
    """Its answers hold all the words of the question, and are not what the user said."""
    lines = "My dog Rex is a beagle.\nWhat breed is my dog Rex?\n"
    cli("chat", stdin=lines)

    quoted = [line for line in cli("chat", stdin=lines)[1].splitlines() if line.startswith("· ")]

    assert quoted
    assert all("User: " in line for line in quoted)


def test_a_chat_that_is_not_kept_says_so(cli: Command):
    """On stderr, before the first line."""
    assert "gone when the command ends: name a file" in cli("chat", "--memory", "sqlite://")[2]
    assert cli("chat")[2] == ""


def test_chat_streams_a_models_answer(cli: Command, monkeypatch: pytest.MonkeyPatch):
    """With a model its words are written as they come, and both sides are remembered."""
    model = GenericFakeChatModel(messages=iter([AIMessage("Rex is a fine name")]))
    monkeypatch.setattr(Settings, "chat_model", lambda self: model)

    _, out, _ = cli("chat", "--model", "fake:model", stdin="My dog is called Rex\n")

    assert "Rex is a fine name" in out
    assert cli.remembered() == ["My dog is called Rex", "Rex is a fine name"]


def test_a_model_that_fails_ends_its_turn_only(cli: Command, monkeypatch: pytest.MonkeyPatch):
    """One sentence, and the conversation goes on."""
    model = GenericFakeChatModel(messages=iter([]))
    monkeypatch.setattr(Settings, "chat_model", lambda self: model)

    code, out, _ = cli("chat", "--model", "fake:model", stdin="Hello\n/help\n")

    assert code == 0
    assert "that did not work: the model failed" in " ".join(out.split())
    assert "/forget" in out


def test_lines_that_end_with_a_failure_fail(cli: Command):
    """A script learns that its last turn was lost; the history says nothing of it."""
    assert cli("chat", "--budget-tokens", "8", stdin="hello there you\n")[0] == 1
    assert "remembered: nothing" in cli("history", "chat")[1]
    assert cli("chat", "--budget-tokens", "8", stdin="hello there you\n/help\n")[0] == 0


def test_chat_forgets_after_asking(cli: Command):
    """No deletes nothing; yes deletes memos, archive and thread."""
    out = cli("chat", stdin="I like tea.\n/forget\nn\n/memory\n/forget\ny\n/memory\n")[1]

    assert out.index("nothing was deleted") < out.index("User: I like tea.") < out.index("forgotten:")
    assert "nothing is remembered" in out
    assert "a new conversation" in cli("chat")[1]


def test_two_users_threads_of_one_name_are_two(cli: Command):
    """What one user said is neither in the other's thread nor in their memory."""
    cli("chat", "--user", "ada", stdin="My dog Rex is a beagle.\n")

    out = cli("chat", "--user", "bob", stdin="What breed is my dog Rex?\n/memory beagle\n")[1]

    assert "a new conversation" in out
    assert "beagle." not in out


def test_ctrl_c_leaves_with_a_sentence(cli: Command, monkeypatch: pytest.MonkeyPatch):
    """No traceback, and what was done stays done."""

    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("graph_memory.cli.ingest.import_from", interrupted)

    code, _, err = cli("ingest", cli.transcript(*LINES))

    assert code == 1
    assert err == "graph-memory: stopped; what was remembered until now is kept\n"
