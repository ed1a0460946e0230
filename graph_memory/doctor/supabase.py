"""Asks a Supabase project, over its data API, for what `supabase_facts` judges; and tries as its user what must fail."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any
from uuid import uuid4

from graph_memory.doctor.findings import Finding, latency, packages, timed
from graph_memory.doctor.supabase_facts import Principal, Trial, judged_key, judged_project, judged_trial, untried
from graph_memory.errors import ConfigurationError, GraphMemoryError, StoreError, StoreUnavailableError
from graph_memory.namespaces import namespace
from graph_memory.sql_files import migrations
from graph_memory.stores.supabase import SupabaseStore
from graph_memory.supabase_api import DataApi
from graph_memory.types import Scope
from graph_memory.urls import Place


def examine(place: Place, options: Mapping[str, Any]) -> list[Finding]:
    """What is found at a `https://` url.

    Raises:
        ConfigurationError: there is no key.
    """
    key, token = options.get("key") or "", options.get("token")
    token = token() if callable(token) else token
    if not key:
        raise ConfigurationError("a Supabase needs the project's key: set GRAPH_MEMORY_SUPABASE_KEY, or give key=")
    timeout_seconds = options["timeout_seconds"]
    who = Principal.of(token or key)
    found = [
        packages("postgrest", "httpx"),
        *judged_key(Principal.of(key), Principal.of(token) if token else None, time.time()),
    ]
    with _unwarned(), closing(DataApi(place.url, key=key, token=token, timeout_seconds=timeout_seconds)) as api:
        try:
            version, dims = api.about()
        except GraphMemoryError as exc:
            return [*found, Finding("fail", "connection", str(exc))]
        found += [*judged_project(version, dims, len(migrations())), latency(timed(api.about))]
    if version < len(migrations()):
        return found
    if who.stands == "service" or who.user is None:
        return [*found, untried()]
    return [*found, *judged_trial(who.user, _tried(place.url, key, token or "", timeout_seconds))]


def _tried(url: str, key: str, token: str, timeout_seconds: float) -> Trial:
    other = namespace(Scope(user_id=f"doctor {uuid4().hex}"), "doctor")
    with closing(SupabaseStore(url, key=key, token=token, timeout_seconds=timeout_seconds)) as store:
        owners = [space[1] for space in store.list_namespaces(max_depth=2, limit=1000) if len(space) > 1]
        try:
            store.put(other, "probe", {"text": "theirs"}, index=False)
        except StoreUnavailableError:
            raise
        except StoreError:
            return Trial(owners, wrote=False, is_open=_is_open(url, key, timeout_seconds))
        store.delete(other, "probe")
        return Trial(owners, wrote=True, is_open=False)


def _is_open(url: str, key: str, timeout_seconds: float) -> bool:
    """Whether the key does without a token; a service key, of which there is a finding already, is not asked."""
    if Principal.of(key).stands == "service":
        return False
    with closing(DataApi(url, key=key, token=None, timeout_seconds=timeout_seconds)) as api:
        try:
            api.about()
        except StoreUnavailableError:
            raise
        except GraphMemoryError:
            return False
        return True


@contextmanager
def _unwarned() -> Iterator[None]:
    """A service key is told of by a finding."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="a service key stands above row-level security")
        yield
