"""A Supabase that stumbles: what may be tried again is, what may be done already is not, and nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace as replaced
from typing import Any

import pytest
from langgraph.store.base import PutOp

from graph_memory.checkpoints.supabase import SupabaseSaver
from graph_memory.errors import StoreUnavailableError
from graph_memory.namespaces import namespace
from graph_memory.stores import open_store
from graph_memory.types import Scope
from tests.fakes import MODES, in_thread
from tests.graphs import echo
from tests.ledger import under_load
from tests.postgres_databases import run_sql
from tests.supabase_projects import Project

ADA = namespace(Scope(user_id="ada"), "notes")


class Line:
    """A line to a server on loopback that can be cut: it then takes requests on, and loses the answers.

    Attributes:
        answers_lost: how many answers are still to be lost.
    """

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self._server = host, int(port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.answers_lost = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """No more."""
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._server) as server:
            threading.Thread(target=_copy, args=(client, server), daemon=True).start()
            while answer := server.recv(1 << 16):
                if self.answers_lost > 0:
                    self.answers_lost -= 1
                    client.shutdown(socket.SHUT_RDWR)
                    return
                client.sendall(answer)


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return  # either end is gone


@contextmanager
def line_to(project: Project) -> Iterator[Line]:
    """A line to a project."""
    with closing(Line(project.url)) as line:
        yield line


def did(store: Any, mode: str, method: str, *args: Any) -> Any:
    """Sync or async."""
    return getattr(store, method)(*args) if mode == "invoke" else asyncio.run(getattr(store, f"a{method}")(*args))


@pytest.mark.parametrize("mode", MODES)
def test_a_lost_answer_is_asked_for_again(supabase: Project, mode: str) -> None:
    """A batch that was carried out already leaves what it would have left."""
    with line_to(supabase) as line, open_store(line.url, **supabase.signed_in("ada")) as store:
        line.answers_lost = 3
        did(store, mode, "batch", [PutOp(ADA, str(n), {"n": n}) for n in range(5)])
        line.answers_lost = 2
        assert len(did(store, mode, "search", ADA)) == 5
        assert line.answers_lost == 0


@pytest.mark.parametrize("mode", MODES)
def test_what_may_have_been_done_is_not_done_twice(supabase: Project, mode: str) -> None:
    """A key is taken once: whoever lost the answer is told that it is not known, not that another was first."""
    with line_to(supabase) as line, open_store(line.url, **supabase.signed_in("ada")) as store:
        line.answers_lost = 1
        with pytest.raises(StoreUnavailableError, match="cannot be reached"):
            did(store, mode, "put_if_absent", ADA, "k", {"n": 1})
        assert did(store, mode, "get", ADA, "k").value == {"n": 1}


@pytest.mark.parametrize("mode", MODES)
def test_a_line_that_stays_cut_is_given_up(supabase: Project, mode: str) -> None:
    """In the time allowed; when it is whole again, so is the store."""
    with line_to(supabase) as line, open_store(line.url, timeout_seconds=1, **supabase.signed_in("ada")) as store:
        line.answers_lost = 1_000_000
        with pytest.raises(StoreUnavailableError, match="cannot be reached"):
            did(store, mode, "get", ADA, "k")
        line.answers_lost = 0
        did(store, mode, "put", ADA, "k", {"n": 1})
        assert did(store, mode, "get", ADA, "k").value == {"n": 1}


def test_nothing_acknowledged_is_lost(supabase: Project) -> None:
    """While answers are lost, the database's connections are cut off, and nothing comes through for a while."""
    others = "pid <> pg_backend_pid() AND datname = current_database()"
    with line_to(supabase) as line, replaced(supabase, url=line.url).opened(open_store, timeout_seconds=2) as store:
        with under_load(store) as ledger:
            ledger.goes_on()
            line.answers_lost = 30
            ledger.goes_on()
            for _ in range(3):
                run_sql(supabase.database, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
                ledger.goes_on(3)
            line.answers_lost = 1_000_000
            ledger.notices("cannot be reached")
            line.answers_lost = 0
            ledger.goes_on()
        ledger.check(store)


def test_a_checkpoint_is_kept_over_a_bad_line(supabase: Project) -> None:
    """Once, and read again."""
    with line_to(supabase) as line, SupabaseSaver(line.url, **supabase.signed_in("ada")) as saver:
        for n in range(4):
            line.answers_lost = 2
            result = echo(saver).invoke({"said": [str(n)]}, in_thread())
        assert len(result["said"]) == 8
        assert len(list(saver.list(in_thread()))) == 12
