"""The commands of `graph-memory` and their options. Each command's work is in the module of its name, loaded when it runs.

Where memory is kept is said by `--memory URL`; by an argument to those that look after a server (worker, migrate), and by the
variable GRAPH_MEMORY_URL to all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from graph_memory import __version__
from graph_memory.cli import databases, transfers
from graph_memory.cli.options import BUDGET, URL, USER, Budget, Embed, Memory, Model, Server, Thread, User
from graph_memory.cli.settings import Settings
from graph_memory.errors import GraphMemoryError


class _Commands(TyperGroup):
    """Lets a Ctrl-C out as an error of ours, which `main` words; typer would only say "Aborted"."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as exc:
            raise GraphMemoryError("stopped; what was remembered until now is kept") from exc


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"graph-memory {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version and leave.")
    ] = False,
) -> None:
    """Memory for LangGraph, from the command line."""


@app.command()
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Keep the memory file and say where it is.")] = False,
    budget_tokens: Budget = 2000,
) -> None:
    """Remember a long conversation in one process, answer questions about it in another. No key, no server."""
    from graph_memory.cli.demo import demo as run

    raise typer.Exit(run(keep=keep, budget_tokens=budget_tokens))


@app.command()
def chat(
    memory: Memory = URL,
    user: User = USER,
    thread: Thread = "chat",
    budget_tokens: Budget = BUDGET,
    model: Model = None,
    embed: Embed = None,
) -> None:
    """Talk to a graph that remembers, now and the next time. /help inside shows what else it can do."""
    from graph_memory.cli.chat import chat as run

    raise typer.Exit(run(Settings(memory, user, budget_tokens, model, embed), thread=thread))


@app.command()
def ingest(
    file: Annotated[Path, typer.Argument(help="A transcript: JSON Lines or a chat export, gzipped or not.")],
    memory: Memory = URL,
    user: User = USER,
    conversation: Annotated[
        int | None, typer.Option("--conversation", min=1, metavar="N", help="Only this one of several; all without it.")
    ] = None,
    human: Annotated[
        str, typer.Option("--human", metavar="NAME", help="Who the user is where the export names people only.")
    ] = "",
    skip_bad_lines: Annotated[
        bool, typer.Option("--skip-bad-lines", help="Go on without what cannot be read.")
    ] = False,
    embed: Embed = None,
) -> None:
    """Remember a transcript. Run it again after an interruption or when the file has grown: nothing is doubled."""
    from graph_memory.cli.ingest import ingest as run

    run(
        Settings(memory, user, BUDGET, None, embed),
        file,
        conversation=conversation,
        human=human,
        skip_bad_lines=skip_bad_lines,
    )


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="In plain words.")],
    memory: Memory = URL,
    user: User = USER,
    k: Annotated[int, typer.Option("--k", min=1, max=50, help="How many lines to quote at most.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
    budget_tokens: Budget = BUDGET,
    model: Model = None,
    embed: Embed = None,
) -> None:
    """Answer a question from memory, or say that memory holds nothing about it. The question is not remembered."""
    from graph_memory.cli.ask import ask as run

    run(Settings(memory, user, budget_tokens, model, embed), question, k=k, as_json=as_json)


@app.command()
def forget(
    user: Annotated[str, typer.Argument(help="Whose memory to delete.")],
    memory: Memory = URL,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
) -> None:
    """Delete everything that is remembered of a user, for good."""
    from graph_memory.cli.forget import forget as run

    run(Settings(memory, user), confirmed=yes)


@app.command()
def consolidate(
    memory: Memory = URL,
    user: User = USER,
    apply: Annotated[bool, typer.Option("--apply", help="Do it; without this it only says what it would do.")] = False,
    prune_below: Annotated[
        float, typer.Option("--prune-below", min=0, max=1, help="Score below which an old memo goes; 0 prunes none.")
    ] = 0.02,
    model: Model = None,
    embed: Embed = None,
) -> None:
    """Make episodes of finished sessions, merge near-duplicates, drop what scores low. A dry run unless --apply."""
    from graph_memory.cli.consolidate import consolidate as run

    run(Settings(memory, user, BUDGET, model, embed), apply=apply, prune_below=prune_below)


for command in (databases.migrate, databases.reencrypt, databases.doctor, transfers.export):
    app.command()(command)
app.command("import")(transfers.take_in)


@app.command("eval")
def evaluate(
    data: Annotated[
        list[Path], typer.Argument(metavar="DATA", help="JSON: conversations of turns and questions; or a transcript.")
    ],
    questions: Annotated[
        Path | None, typer.Option("--questions", metavar="FILE", help="The questions, where DATA is a transcript.")
    ] = None,
    settings: Annotated[
        list[Path] | None,
        typer.Option("--settings", metavar="YAML...", help="Options of VectorMemory; two files are compared."),
    ] = None,
    by_category: Annotated[bool, typer.Option("--by-category", help="A row for each category as well.")] = False,
    json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write everything, question by question.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, metavar="N", help="Only the first N questions.")
    ] = None,
    fit: Annotated[
        Path | None,
        typer.Option(
            "--fit", metavar="YAML", help="Look for weights that suit the data, write them, say if they help."
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of whatever is random.")] = 0,
    embed: Embed = None,
) -> None:
    """Measure how well memory finds what answers, on conversations of your own with questions about them."""
    from graph_memory.cli.evaluate import Job, data_and_settings
    from graph_memory.cli.evaluate import evaluate as run

    file, files = data_and_settings(data, settings or ())
    run(Settings("sqlite://", USER, embed=embed), Job(file, questions, files, by_category, json, limit, fit, seed))


@app.command()
def history(
    thread: Annotated[str, typer.Argument(help="The thread_id, or the name of a conversation of `graph-memory chat`.")],
    memory: Memory = URL,
    user: Annotated[
        str,
        typer.Option("--user", envvar="GRAPH_MEMORY_USER", help="Whose thread it is; '' is one that names no user."),
    ] = USER,
    agent: Annotated[str | None, typer.Option("--agent", help="Whose memory, where agents have their own.")] = None,
    messages_key: Annotated[
        str, typer.Option("--messages-key", help="The state key of the conversation.")
    ] = "messages",
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Show the branches of a thread as a tree, with what each of them remembers."""
    from graph_memory.cli.history import history as run

    run(Settings(memory, user), thread, agent=agent, messages_key=messages_key, as_json=as_json)


@app.command()
def worker(
    graph: Annotated[
        str,
        typer.Option(
            "--graph", metavar="MODULE:NAME", help="The graph with memory, a list of memories, or a function."
        ),
    ],
    url: Server = URL,
    debounce_seconds: Annotated[
        float,
        typer.Option("--debounce-seconds", min=0, help="Wait for a thread to rest, then take in its turns as one."),
    ] = 0.0,
    lease_seconds: Annotated[
        float, typer.Option("--lease-seconds", min=0.1, help="How long one try may take.")
    ] = 120.0,
    attempts: Annotated[int, typer.Option("--attempts", min=1, help="Tries before a turn is a dead letter.")] = 8,
    until_empty: Annotated[bool, typer.Option("--until-empty", help="End when nothing waits.")] = False,
    embed: Embed = None,
) -> None:
    """Take in what memories leave to the background; start as many as you like. SIGTERM ends it after the turn at hand."""
    from graph_memory.cli.worker import Job
    from graph_memory.cli.worker import worker as run
    from graph_memory.graph.worker import WorkerOptions

    options = WorkerOptions(debounce_seconds=debounce_seconds, lease_seconds=lease_seconds, attempts=attempts)
    run(Settings(url, USER, embed=embed), Job(graph, options, until_empty))


@app.command()
def mcp(url: Server = URL, user: User = USER, embed: Embed = None) -> None:
    """Serve a user's memory as tools over the Model Context Protocol, on stdin and stdout."""
    from graph_memory.cli.mcp import mcp as run

    run(Settings(url, user, embed=embed))


@app.command()
def outbox(
    memory: Memory = URL,
    dead: Annotated[bool, typer.Option("--dead", help="List what failed too often, with the reasons.")] = False,
    requeue: Annotated[
        str | None,
        typer.Option("--requeue", metavar="ID|all", help="Let a dead letter, or all of them, be tried again."),
    ] = None,
) -> None:
    """Show what waits to be taken in by a worker. Nothing of what was said is shown."""
    from graph_memory.cli.outbox import outbox as run

    run(Settings(memory, USER), dead=dead, requeued=requeue)


@app.command("demo-step", hidden=True)
def demo_step(step: str, file: str, budget_tokens: int) -> None:
    """One of the demo's two processes."""
    from graph_memory.cli.demo import run_step

    raise typer.Exit(run_step(step, file, budget_tokens))
