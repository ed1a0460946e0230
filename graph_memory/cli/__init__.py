"""The `graph-memory` command. Importing this loads neither typer nor LangGraph; `main` does when it is called."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from graph_memory.errors import GraphMemoryError, MissingExtraError

_NEEDED = {"typer", "rich"}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code: 0 done, 1 it failed, 2 it was called wrongly.

    What a user can cause ends in one sentence on stderr, never in a traceback.
    """
    logging.getLogger("graph_memory").addHandler(logging.NullHandler())  # what a log would say is shown in its place
    try:
        _run(list(sys.argv[1:] if argv is None else argv))
    except SystemExit as exc:
        return exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    except KeyboardInterrupt:
        return _failed("stopped")
    except BrokenPipeError:
        sys.stderr.close()  # whoever read us is gone; nothing is left to say it to
        return 1
    except GraphMemoryError as exc:
        return _failed(str(exc))
    except OSError as exc:
        return _failed(f"{exc.strerror or exc}: {exc.filename}" if exc.filename else str(exc.strerror or exc))
    return 0


def _run(argv: list[str]) -> None:
    try:
        from graph_memory.cli.app import app
    except ModuleNotFoundError as exc:
        if exc.name not in _NEEDED:
            raise
        raise MissingExtraError("the graph-memory command", "cli") from exc
    app(argv, prog_name="graph-memory")


def _failed(sentence: str) -> int:
    sys.stdout.flush()
    print(f"graph-memory: {sentence}", file=sys.stderr)
    return 1
