"""Options and arguments that several commands share, and their defaults."""

from __future__ import annotations

from typing import Annotated

import typer

Memory = Annotated[
    str,
    typer.Option("--memory", metavar="URL", envvar="GRAPH_MEMORY_URL", help="Where memory is kept.", show_default=True),
]
Server = Annotated[
    str, typer.Argument(metavar="URL", envvar="GRAPH_MEMORY_URL", help="Where memory is kept.", show_default=True)
]
User = Annotated[str, typer.Option("--user", envvar="GRAPH_MEMORY_USER", help="Whose memory it is.")]
Budget = Annotated[
    int,
    typer.Option(
        "--budget-tokens", min=1, envvar="GRAPH_MEMORY_BUDGET_TOKENS", help="Tokens of context for each answer."
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="PROVIDER:NAME",
        envvar="GRAPH_MEMORY_MODEL",
        help="A chat model; without one, memory is quoted, not understood.",
    ),
]
Embed = Annotated[
    str | None,
    typer.Option(
        "--embed",
        metavar="PROVIDER:NAME",
        envvar="GRAPH_MEMORY_EMBED",
        help="An embedding model; without one, memory is searched by words.",
    ),
]
Thread = Annotated[str, typer.Option("--thread", help="Which conversation to go on with.")]

URL = "sqlite:///memory.db"
USER = "me"
BUDGET = 4000
