"""Our checkpointers under graphs: both ways to run, forks, interrupts, encryption, time to live, delta channels, copies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt

from graph_memory.errors import ConfigurationError
from tests.fakes import MODES, call, in_thread
from tests.graphs import Said, echo
from tests.redis_servers import wait_until
from tests.savers import Delta, Rot, cluster, each, redis, supabase


@each(redis, supabase)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("schema", [Said, Delta])
def test_a_thread_goes_on_and_forks(mode: str, schema: Any, place: Any, request: pytest.FixtureRequest):
    """In another saver too, as in another process; pruned, and after it was forgotten, as well."""
    make = place(request)
    for n in range(6):
        with make() as saver:
            result = call(echo(saver, schema), mode, {"said": [str(n)]}, in_thread())
        assert result["said"] == [text for at in range(n + 1) for text in (str(at), f"re {at}")]
    with make() as saver:
        graph = echo(saver, schema)
        early = next(one for one in graph.get_state_history(in_thread()) if len(one.values["said"]) == 4)
        forked = call(graph, mode, {"said": ["fork"]}, early.config)
        assert forked["said"] == ["0", "re 0", "1", "re 1", "fork", "re fork"]
        saver.prune(["t"])
        assert len(graph.get_state(in_thread()).values["said"]) == 6
        assert call(graph, mode, {"said": ["on"]}, in_thread())["said"][-3:] == ["re fork", "on", "re on"]
        saver.delete_thread("t")
        assert call(graph, mode, {"said": ["anew"]}, in_thread())["said"] == ["anew", "re anew"]


@each(redis, supabase)
@pytest.mark.parametrize("mode", MODES)
def test_an_interrupted_run_is_resumed(mode: str, place: Any, request: pytest.FixtureRequest):
    """From what was kept."""

    def ask(state: Said) -> Any:
        return {"said": [interrupt("name?")]}

    with place(request)() as saver:
        builder: Any = StateGraph(Said)
        builder.add_node("ask", ask)
        builder.add_edge(START, "ask")
        graph = builder.compile(checkpointer=saver)
        call(graph, mode, {"said": []}, in_thread())
        assert call(graph, mode, Command(resume="Ada"), in_thread())["said"] == ["Ada"]


@each(redis, supabase)
def test_encrypted_values_are_read_by_whoever_has_the_cipher(place: Any, request: pytest.FixtureRequest):
    """And by nobody else."""
    make = place(request)
    with make(serde=EncryptedSerializer(Rot())) as saver:
        echo(saver).invoke({"said": ["sesame"]}, in_thread())
        assert echo(saver).get_state(in_thread()).values["said"] == ["sesame", "re sesame"]
    with make() as saver, pytest.raises(NotImplementedError, match=r"\+rot"):
        saver.get_tuple(in_thread())


@dataclass(frozen=True)
class Note:
    """A class that a strict serializer was not told of."""

    text: str


@each(redis, supabase)
@pytest.mark.parametrize("mode", MODES)
def test_a_strict_serializer_makes_no_objects_it_was_not_told_of(mode: str, place: Any, request: pytest.FixtureRequest):
    """What is kept decides about data, never about code: neither classes nor pickles."""
    make = place(request)
    told = JsonPlusSerializer(allowed_msgpack_modules=[(Note.__module__, "Note")])
    for serde, is_made in ((told, True), (JsonPlusSerializer(allowed_msgpack_modules=None), False)):
        with make(serde=serde) as saver:
            call(echo(saver), mode, {"said": [Note("tea")]}, in_thread(str(is_made)))
            found = saver.get_tuple(in_thread(str(is_made))).checkpoint["channel_values"]["said"]
            assert isinstance(found[0], Note) is is_made
            assert found[1] == "re Note(text='tea')"
            with pytest.raises(TypeError, match="not msgpack serializable"):
                call(echo(saver), mode, {"said": [object()]}, in_thread("other"))


@each(redis, supabase)
def test_a_thread_is_gone_after_its_time(place: Any, request: pytest.FixtureRequest):
    """Which every write starts anew. Then it begins as if it had never been; what has no time stays."""
    make = place(request)
    with make() as saver:
        echo(saver).invoke({"said": ["kept"]}, in_thread("kept"))
    with make(ttl_seconds=60) as saver, make(ttl_seconds=0.05) as short:
        graph = echo(saver)
        graph.invoke({"said": ["1"]}, in_thread())
        assert graph.get_state(in_thread()).values["said"] == ["1", "re 1"]
        short.put_writes(graph.get_state(in_thread()).config, [("said", ["x"])], "task")
        wait_until(lambda: graph.get_state(in_thread()).values == {})
        assert {one.config["configurable"]["thread_id"] for one in saver.list(None)} == {"kept"}
        assert graph.invoke({"said": ["2"]}, in_thread())["said"] == ["2", "re 2"]
        assert echo(saver).get_state(in_thread("kept")).values["said"] == ["kept", "re kept"]


@each(redis, cluster, supabase)
def test_a_copied_thread_goes_its_own_way(place: Any, request: pytest.FixtureRequest):
    """On a cluster, where the two may be on different nodes, as well."""
    with place(request)() as saver:
        graph = echo(saver)
        graph.invoke({"said": ["a"]}, in_thread("t"))
        for target in ("u", "v", "w"):
            saver.copy_thread("t", target)
            graph.invoke({"said": [target]}, in_thread(target))
        assert graph.get_state(in_thread("t")).values["said"] == ["a", "re a"]
        assert graph.get_state(in_thread("v")).values["said"] == ["a", "re a", "v", "re v"]


@each(redis, supabase)
def test_a_long_listing_comes_in_pages(place: Any, request: pytest.FixtureRequest):
    """Complete, in order, none twice; as much as is wanted."""
    with place(request)() as saver:
        graph = echo(saver)
        for n in range(25):
            graph.invoke({"said": [str(n)]}, in_thread())
        graph.invoke({"said": ["else"]}, in_thread("other"))
        steps = [one.metadata["step"] for one in saver.list(in_thread())]
        assert steps == list(range(len(steps) - 2, -2, -1))
        assert len(steps) > 50
        assert [one.metadata["step"] for one in saver.list(in_thread(), limit=60)] == steps[:60]
        assert len(list(saver.list(None))) == len(steps) + len(list(saver.list(in_thread("other"))))


@each(redis, supabase)
@pytest.mark.parametrize("options", [{"ttl_seconds": 0}, {"timeout_seconds": 0}, {"max_connections": 0}])
def test_wrong_options_are_refused(options: dict[str, Any], place: Any, request: pytest.FixtureRequest):
    """Before anything is tried."""
    with pytest.raises(ConfigurationError):
        place(request)(**options)


@each(redis, supabase)
def test_what_names_no_thread_or_no_strategy_is_refused(place: Any, request: pytest.FixtureRequest):
    """In one sentence."""
    with place(request)() as saver:
        with pytest.raises(ConfigurationError, match="needs a thread"):
            saver.get_tuple({"configurable": {}})
        with pytest.raises(ConfigurationError, match="keep_latest"):
            saver.prune(["t"], strategy="some")
        with pytest.raises(ConfigurationError, match="list of ids"):
            saver.delete_for_runs("run")
