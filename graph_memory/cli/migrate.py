"""`graph-memory migrate`: a Postgres database brought up to date."""

from __future__ import annotations

from graph_memory.cli.show import console
from graph_memory.errors import ConfigurationError
from graph_memory.stores.migrations import Migrated
from graph_memory.stores.migrations import migrate as migrate_database
from graph_memory.urls import parse


def migrate(url: str, *, dims: int | None, drop_vectors: bool, dry_run: bool) -> None:
    """The command.

    Raises:
        ConfigurationError: the url names no Postgres database, or `dims` is wrong.
        StoreError: the server refuses.
    """
    if parse(url).scheme != "postgresql":
        raise ConfigurationError("only Postgres is migrated: name a postgresql:// url; a SQLite file needs nothing")
    done = migrate_database(url, dims=dims, drop_vectors=drop_vectors, dry_run=dry_run)
    for line in _lines(done, dry_run=dry_run):
        console().print(line)


def _lines(done: Migrated, *, dry_run: bool) -> list[str]:
    applied, chosen, dropped = (
        ("would apply", "would choose", "would drop") if dry_run else ("applied", "chose", "dropped")
    )
    lines = [f"{applied} {migration}" for migration in done.applied]
    lines += [f"{chosen} vectors of {done.dims} dimensions"] if done.dims else []
    lines += [f"{dropped} {done.dropped:,} vectors of another size"] if done.dropped else []
    return lines or ["up to date"]
