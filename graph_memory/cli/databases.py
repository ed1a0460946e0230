"""The commands for whoever runs the database that memory is kept in. Each command's work is in the module of its name."""

from __future__ import annotations

from typing import Annotated

import typer


def migrate(
    url: Annotated[
        str, typer.Argument(metavar="URL", envvar="GRAPH_MEMORY_URL", help="A Postgres database.", show_default=False)
    ],
    dims: Annotated[
        int | None,
        typer.Option("--dims", min=1, metavar="N", help="Size of the embedder's vectors; without it, it stays."),
    ] = None,
    drop_vectors: Annotated[
        bool, typer.Option("--drop-vectors", help="Let vectors of another size go; their texts stay.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
) -> None:
    """Bring a Postgres database up to date. Safe to run again, and from several machines at once."""
    from graph_memory.cli.migrate import migrate as run

    run(url, dims=dims, drop_vectors=drop_vectors, dry_run=dry_run)


def reencrypt(
    url: Annotated[
        str, typer.Argument(metavar="URL", envvar="GRAPH_MEMORY_URL", help="Where memory is kept.", show_default=False)
    ],
    reads_plain: Annotated[
        bool, typer.Option("--reads-plain", help="Encrypt what is from before encryption, too.")
    ] = False,
) -> None:
    """Encrypt what is kept with a new key, while nothing writes. GRAPH_MEMORY_ENCRYPTION_KEYS is the new, a comma, the old."""
    from graph_memory.cli.reencrypt import reencrypt as run

    run(url, reads_plain=reads_plain)


def doctor(
    url: Annotated[
        str, typer.Argument(metavar="URL", envvar="GRAPH_MEMORY_URL", help="Where memory is kept.", show_default=False)
    ],
    timeout: Annotated[
        float, typer.Option("--timeout", min=2, metavar="SECONDS", help="How long each answer may take.")
    ] = 5.0,
    prefix: Annotated[
        str | None,
        typer.Option("--prefix", help="What the names of keys in a Redis begin with."),
    ] = None,
    hot: Annotated[str | None, typer.Option("--hot", metavar="URL", help="The Redis in front of it.")] = None,
    queue: Annotated[
        str | None,
        typer.Option("--queue", metavar="FILE", help="Where a tier's writes wait."),
    ] = None,
) -> None:
    """Say what is right with a place where memory is kept, what is not, and what mends it. Exits with 1 when something fails."""
    from graph_memory.cli.doctor import doctor as run

    raise typer.Exit(run(url, timeout_seconds=timeout, prefix=prefix, hot=hot, queue=queue))
