"""The commands that bring memories out and in. Their work is in `transfer`, loaded when they run."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from graph_memory.cli.options import BUDGET, URL, USER, Embed, Memory, User
from graph_memory.cli.settings import Settings


class Kind(StrEnum):
    """What is imported."""

    JSONL = "jsonl"
    LANGMEM = "langmem"
    CHAT_HISTORY = "chat-history"
    LANGGRAPH = "langgraph"


class KeptAs(StrEnum):
    """What items of a LangGraph store become."""

    FACTS = "facts"
    VALUES = "values"


def export(
    memory: Memory = URL,
    user: User = USER,
    output: Annotated[str, typer.Option("--output", metavar="FILE", help="Where to write; - is stdout.")] = "-",
) -> None:
    """Write everything that is remembered of a user as JSON Lines, for `graph-memory import`."""
    from graph_memory.cli.transfer import export as run

    run(Settings(memory, user), output)


def take_in(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="A file or folder, or the url of a database or Redis; - is an export on stdin."
        ),
    ],
    kind: Annotated[
        Kind,
        typer.Option(
            "--from",
            help="jsonl: an export, or a message on each line. langmem: its memories in a LangGraph store. "
            "chat-history: LangChain's message histories. langgraph: threads of a checkpointer, or with --namespace the "
            "items of a store.",
        ),
    ] = Kind.JSONL,
    memory: Memory = URL,
    user: Annotated[
        str | None,
        typer.Option(
            "--user",
            envvar="GRAPH_MEMORY_USER",
            help=f"Whose memory it becomes where the source names nobody (jsonl: {USER}).",
        ),
    ] = None,
    from_user: Annotated[
        str | None,
        typer.Option("--from-user", metavar="USER", help="Of an export: take over the memory of this other user."),
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option(
            "--namespace",
            metavar="LABELS",
            help="Where items are and the user stands in it, such as memories,{user_id} (langmem's default) or {user_id},...",
        ),
    ] = None,
    profile: Annotated[
        list[str] | None,
        typer.Option("--profile", metavar="NAME", help="Of langmem: a schema, key or label of profiles. Repeatable."),
    ] = None,
    kept_as: Annotated[
        KeptAs | None, typer.Option("--as", help="Of langgraph items: facts, found by search, or values under keys.")
    ] = None,
    sessions: Annotated[
        str | None,
        typer.Option(
            "--sessions",
            metavar="TEMPLATE",
            help="Of chat-history: how a session's name holds user and thread, such as {user_id}:{thread_id}.",
        ),
    ] = None,
    table: Annotated[
        str | None,
        typer.Option("--table", help="Of chat-history: the table of the database, message_store by default."),
    ] = None,
    prefix: Annotated[
        str | None, typer.Option("--prefix", help="Of chat-history: what the keys in the Redis begin with.")
    ] = None,
    user_key: Annotated[
        str | None,
        typer.Option("--user-key", help="Of langgraph threads: what runs call their user, user_id by default."),
    ] = None,
    messages_key: Annotated[
        str | None,
        typer.Option("--messages-key", help="Of langgraph threads: the state's key, messages by default."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="End at the first that cannot be used.")] = False,
    embed: Embed = None,
) -> None:
    """Bring memories in from elsewhere. Run it again after an interruption: nothing is doubled. The source stays as it is."""
    from graph_memory.cli.transfer import Asked
    from graph_memory.cli.transfer import take_in as run

    asked = Asked(
        kind=kind.value,
        source=source,
        user=user,
        from_user=from_user,
        namespace=namespace,
        profile=profile or None,
        kept_as=None if kept_as is None else kept_as.value,
        sessions=sessions,
        table=table,
        prefix=prefix,
        user_key=user_key,
        messages_key=messages_key,
    )
    run(Settings(memory, user or USER, BUDGET, None, embed), asked, dry_run=dry_run, strict=strict)
