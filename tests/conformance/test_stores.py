"""The conformance suite over our stores, and over LangGraph's own to know exactly where it differs."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from uuid import uuid4

import pytest
from langgraph.store.memory import InMemoryStore

from graph_memory.sealing import new_key
from graph_memory.stores import open_store
from graph_memory.stores.redis import RedisStore
from graph_memory.stores.sqlite import SqliteStore
from graph_memory.stores.tiered import TieredStore
from graph_memory.testing.stores import CHECKS, MODES, Calls, Check, Embed, Factory, Mode, capabilities, run_check
from tests.redis_servers import Running
from tests.supabase_projects import Project

DIFFERENT_IN_MEMORY = {
    "asking_leaves_no_namespace_behind": "get makes the namespace that it looks into, and it is listed from then on",
    "an_update_keeps_created_at_and_moves_updated_at": "every put sets created_at anew",
    "a_namespace_goes_with_its_last_item": "emptied namespaces stay listed",
    "what_the_caller_changes_later_is_not_stored": "values are copied one level deep only",
    "a_value_that_is_no_json_is_refused": "any Python object is stored",
    "a_batch_is_written_wholly_or_not_at_all": "nothing is refused",
    "true_is_not_one": "values are compared as Python compares them",
    "text_is_compared_as_text": "$gt and its like turn both sides into numbers, and raise on a date",
    "mixed_types_do_not_match_and_do_not_fail": "$gt and its like raise on what is no number",
    "a_dotted_key_reaches_into_values": "a dotted key is taken literally",
    "the_same_text_twice_in_a_batch_is_embedded_once": "putting one text under two keys in a batch raises",
    "an_unchanged_text_is_not_embedded_again": "every put embeds",
}
"""Where LangGraph's InMemoryStore (langgraph-checkpoint 4.3.2) does something else. It also has no time to live."""


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_sqlite_in_memory(check: Check, mode: Mode) -> None:
    """Our store, in memory, behaves as memories rely on."""
    run_check(check, lambda embed: open_store("sqlite://", embed=embed), mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_sqlite_file(check: Check, mode: Mode, tmp_path: Path) -> None:
    """Our store, in a file, behaves as memories rely on."""
    run_check(check, lambda embed: open_store(f"sqlite:///{tmp_path / 'memory.db'}", embed=embed), mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_postgres(check: Check, mode: Mode, postgres_url: str) -> None:
    """Our store, on Postgres, behaves as memories rely on."""
    run_check(check, lambda embed: open_store(postgres_url, embed=embed), mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_supabase(check: Check, mode: Mode, supabase: Project) -> None:
    """Our store, on Supabase, behaves as memories rely on."""
    run_check(check, lambda embed: supabase.opened(open_store, embed=embed), mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_tiered(check: Check, mode: Mode) -> None:
    """A tier of two of our stores behaves as its durable one."""
    run_check(check, lambda embed: TieredStore(SqliteStore(None), SqliteStore(None, embed=embed)), mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_tiered_over_servers(check: Check, mode: Mode, postgres_url: str, redis_server: Running) -> None:
    """Redis in front of Postgres."""
    run_check(check, lambda embed: open_store(postgres_url, embed=embed, hot=_fresh(redis_server)), mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_tiered_with_a_queue(check: Check, mode: Mode, tmp_path: Path) -> None:
    """A queue changes nothing while the durable store answers; and what is hot may be in a store that takes no claims."""
    queue = str(tmp_path / "queue.db")
    run_check(check, lambda embed: open_store("sqlite://", embed=embed, hot=InMemoryStore(), queue=queue), mode)


IN_THE_CLEAR = ["text", "other", "parts", "seen", "n", "v", "w", "any"]
"""What the checks search and filter by."""


@pytest.mark.parametrize("clear", [[], IN_THE_CLEAR], ids=["all sealed", "some in the clear"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_encrypted(check: Check, mode: Mode, clear: list[str]) -> None:
    """An encrypted store does all that a store does; by what is sealed it neither filters nor searches, and says so."""
    run_check(check, lambda embed: open_store("sqlite://", embed=embed, encrypt=new_key(), clear=clear), mode)


def _fresh(server: Running) -> RedisStore:
    return RedisStore(server.url, prefix=uuid4().hex)


def _in_memory_store(embed: Embed | None) -> AbstractContextManager[InMemoryStore]:
    return nullcontext(InMemoryStore(index={"dims": 5, "embed": embed, "fields": ["text"]} if embed else None))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_langgraph_in_memory_store(check: Check, mode: Mode, request: pytest.FixtureRequest) -> None:
    """LangGraph's InMemoryStore differs where the list says so, and nowhere else."""
    if str(check) in DIFFERENT_IN_MEMORY:
        request.applymarker(pytest.mark.xfail(strict=True, reason=DIFFERENT_IN_MEMORY[str(check)]))
    run_check(check, _in_memory_store, mode)


@pytest.mark.parametrize("mode", MODES)
def test_what_a_store_can_do_is_found_out(mode: Mode) -> None:
    """Checks that do not apply to a store are skipped, those that do are not."""
    ours = "sqlite://"
    assert _capabilities(lambda embed: open_store(ours, embed=embed), mode) == {
        "ttl",
        "filter",
        "put_if_absent",
        "words",
        "meaning",
    }
    assert _capabilities(lambda embed: open_store(ours), mode) == {"ttl", "filter", "put_if_absent", "words"}
    assert _capabilities(lambda embed: open_store(ours, encrypt=new_key()), mode) == {"ttl", "put_if_absent"}
    assert _capabilities(_in_memory_store, mode) == {"filter", "meaning"}


def _capabilities(factory: Factory, mode: Mode) -> frozenset[str]:
    found: list[frozenset[str]] = []

    async def body(calls: Calls) -> None:
        found.append(await capabilities(calls))

    run_check(Check(body, embeds=True), factory, mode)
    return found[0]
