"""`graph-memory doctor` at what lies around a place: a tier, encryption, keys with another prefix."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
from langgraph.store.base import PutOp
from typer.testing import CliRunner

from graph_memory import new_key, open_checkpointer, open_store
from graph_memory.cli.app import app
from graph_memory.doctor import examine
from graph_memory.stores._journal import Journal
from graph_memory.stores.migrations import migrate
from graph_memory.stores.sqlite import SqliteStore
from tests.doctors import told
from tests.redis_servers import Running, running

ADA = ("users", "ada")
KEYS = "GRAPH_MEMORY_ENCRYPTION_KEYS"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A file with something in it."""
    with open_store(f"sqlite:///{tmp_path / 'memory.db'}") as store:
        store.put(ADA, "k", {"text": "tea"})
    return f"sqlite:///{tmp_path / 'memory.db'}"


def test_what_is_kept_under_another_prefix_is_counted(redis_server: Running):
    """By an option, or by the variable that every command reads."""
    prefix = uuid4().hex
    with open_store(redis_server.url, prefix=prefix) as store, open_checkpointer(redis_server.url, prefix=prefix):
        store.batch([PutOp(ADA, str(n), {"text": "tea"}) for n in range(3)])
    assert told(redis_server.url, "--prefix", prefix)[1]["store"][1] == f"items: 3, namespaces: 1; prefix {prefix}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRAPH_MEMORY_PREFIX", prefix)
        assert told(redis_server.url)[1]["store"][1] == f"items: 3, namespaces: 1; prefix {prefix}"


def test_an_option_of_another_kind_of_place_is_refused(url: str):
    """And the place is not examined as if it were not there."""
    result = CliRunner().invoke(app, ["doctor", url, "--prefix", "mine"])
    assert result.exit_code != 0
    assert "unknown option prefix" in str(result.exception)


def test_a_tier_is_examined_with_what_stands_in_front(new_database: str, redis_server: Running):
    """Both sides, the gate between them, and whether it is worth having."""
    migrate(new_database, dims=5)
    code, lines = told(new_database, "--hot", redis_server.url)
    assert code == 0
    assert lines["gate"] == ("ok", "hot copies count")
    assert lines["tried"][0] == "ok"
    assert "from the hot store and" in lines["speed"][1]
    found = examine(new_database, hot=redis_server.url)
    hot = [one for one in found if one.says.startswith("hot: ")]
    assert {"server", "role", "eviction", "memory", "pool", "latency", "scripts", "store"} == {
        one.subject for one in hot
    } - {"expired"}


def test_a_gate_that_an_outage_has_closed_is_told(tmp_path: Path):
    """Until somebody finds that the hot store works again."""
    url = f"sqlite:///{tmp_path / 'memory.db'}"
    with running() as server:
        hot = server.url
        with open_store(url, hot=hot, trust_seconds=0.01, retry_seconds=0.01) as tier:
            tier.put(ADA, "k", {"n": 1})
            server.kill()
            tier.put(ADA, "k", {"n": 2})
        code, lines = told(url, "--hot", hot)
        assert (code, lines["connection"][0], lines["connection"][1].startswith("hot: ")) == (1, "fail", True)
        server.start()
        lines = {one.subject: one for one in examine(url, hot=hot)}
        assert lines["gate"].grade == "warn"


def test_what_waits_in_a_queue_is_told_and_nothing_is_made(url: str, redis_server: Running, tmp_path: Path):
    """And what was refused for good."""
    queue = tmp_path / "queue.db"
    assert told(url, "--hot", redis_server.url, "--queue", str(queue))[1]["queue"][1].endswith("the first use makes it")
    assert not queue.exists()
    with closing(Journal(str(queue))) as journal:
        for n in range(2):
            journal.append([PutOp(ADA, str(n), {})])
        assert told(url, "--hot", redis_server.url, "--queue", str(queue))[1]["queue"][0] == "warn"
        journal.refuse(1, "no")
        code, lines = told(url, "--hot", redis_server.url, "--queue", str(queue))
    assert (code, lines["queue"][0]) == (1, "fail")


def test_a_queue_without_a_tier_is_a_mistake(url: str):
    """One sentence."""
    code, lines = told(url, "--queue", "queue.db")
    assert (code, lines["tier"][1]) == (1, "a queue belongs to a tier: name its hot store too, hot='redis://...'")


def test_a_hot_store_that_does_not_answer_fails_and_the_rest_is_told(url: str):
    """Without its password."""
    result = CliRunner().invoke(app, ["doctor", url, "--hot", "redis://u:sesame@127.0.0.1:1", "--timeout", "2"])
    failed = [line for line in result.output.splitlines() if line.startswith("fail")]
    assert (result.exit_code, len(failed)) == (1, 1)
    assert "sesame" not in result.output
    assert "items: 1" in result.output


def test_keys_are_tried_on_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What needs another key fails; what is of an older one, or plain, is warned of, with the command that mends it."""
    url, old, new = f"sqlite:///{tmp_path / 'memory.db'}", new_key(), new_key()

    def lines_with(*keys: str) -> tuple[int, tuple[str, str]]:
        monkeypatch.setenv(KEYS, ",".join(keys))
        code, lines = told(url)
        return code, lines["encryption"]

    with open_store(url, encrypt=old) as store:
        store.put(ADA, "k", {"text": "tea"})
    assert lines_with(old) == (0, ("ok", "1 of the newest 1 items open with the first key"))
    code, (grade, words) = lines_with(new, old)
    assert (code, grade) == (0, "warn")
    assert "sealed with an older key: graph-memory reencrypt URL" in words
    code, (grade, words) = lines_with(new)
    assert (code, grade) == (1, "fail")
    assert "sealed with keys that are not given" in words
    assert lines_with("nonsense") == (
        1,
        (
            "fail",
            "an encryption key is 16, 24 or 32 random bytes, or their base64: make one with graph_memory.new_key()",
        ),
    )
    with open_store(url) as store:
        store.put(ADA, "plain", {"text": "tea"})
    assert "1 of the newest 2 items are not encrypted" in lines_with(old)[1][1]


def test_what_was_changed_by_somebody_else_is_found(tmp_path: Path):
    """Though its key is there."""
    path, key = tmp_path / "memory.db", new_key()
    with open_store(f"sqlite:///{path}", encrypt=key) as store:
        store.put(ADA, "k", {"text": "tea", "kind": "fact"})
    with SqliteStore(str(path)) as beneath:
        beneath.put(ADA, "k", {**beneath.get(ADA, "k").value, "kind": "rumour"})
    [one] = [one for one in examine(f"sqlite:///{path}", encrypt=key) if one.subject == "encryption"]
    assert (one.grade, one.says) == (
        "fail",
        "1 of the newest 1 items do not open: they were changed, or moved from another place",
    )
