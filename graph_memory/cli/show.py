"""How things look: quotes, the explained context with its budget bar, progress. Plain where nobody is looking."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from graph_memory.context.links import context_links
from graph_memory.extract.reader import NOTHING_FOUND, Quote, Reading, excerpt
from graph_memory.extract.transcripts import read
from graph_memory.types import Context, Line, Memo, Snippet

_COLOURS = ("cyan", "green", "magenta", "yellow", "blue")
_OWN = {"thread": "white", "frame": "bright_black"}
_QUOTE_CHARACTERS = 180
_DROPPED_ROWS = 5
_LINKED_ROWS = 5
_BAR_CELLS = 48
_WIDTHS = {"memory": 6, "memo": 8, "date": 10, "score": 5, "tok": 5}
_RULE_CELLS = 20
_NUMBERS = ("score", "tok")


@cache
def console() -> Console:
    """The terminal, or whatever stdout is: without colours and bars when it is a pipe."""
    return Console(highlight=False, markup=False, soft_wrap=False)


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar for as long as the block lasts, gone afterwards; what is yielded advances it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(), transient=True, disable=not console().is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda steps: bar.advance(task, steps)


def counting(path: Path, conversation: int | None) -> int:
    """How many messages a transcript holds, for the bar."""
    return sum(1 for _ in read(path, conversation=conversation))


def quotes(reading: Reading, question: str, *, marked: frozenset[str] = frozenset()) -> RenderableType:
    """The quotes of a reading, each with its date, speaker and memo id; those in `marked` (by source) with a tick."""
    if not reading.quotes:
        return Text(NOTHING_FOUND, "italic")
    return Group(*(_quote(quote, question, quote.line.source in marked) for quote in reading.quotes))


def _quote(quote: Quote, question: str, is_marked: bool) -> RenderableType:
    line, text = quote.line, Text()
    text.append("✓ " if is_marked else "· ", "bold green" if is_marked else "bright_black")
    text.append(f"{line.said_at:%Y-%m-%d}  " if line.said_at else "", "cyan")
    text.append(f"{line.speaker or line.role}: ", "bold")
    text.append(f"“{excerpt(line.text, question, _QUOTE_CHARACTERS)}”")
    text.append(f"  {line.memory} {line.memo_id[:8]}", "bright_black")
    return text


def sources(context: Context) -> str:
    """Which memories are in a context and with how many lines: "buffer 12 lines, vector 31 lines"."""
    counts = {section.memory: 0 for section in context.sections}
    for line in context.kept:
        if line.memory in counts:
            counts[line.memory] += 1
    return ", ".join(f"{name} {count} {'line' if count == 1 else 'lines'}" for name, count in counts.items())


def explained(context: Context) -> RenderableType:
    """The context as a table: each line with its memory, memo id, date, score, tokens and rule, above it the budget,
    beneath it what belongs together.
    """
    dropped = context.dropped
    parts: list[RenderableType] = [budget(context)]
    parts += [Text(f"{name} gave nothing: {reason}", "yellow") for name, reason in context.degradations.items()]
    parts.append(_table([*context.kept, *dropped[:_DROPPED_ROWS]], _snippets(context)))
    if len(dropped) > _DROPPED_ROWS:
        parts.append(Text(f"… and {len(dropped) - _DROPPED_ROWS} more were left out", "bright_black"))
    parts += _links(context)
    return Group(*parts)


def _links(context: Context) -> list[RenderableType]:
    """Which of the lines belong together, each pair once."""
    links, told = context_links(context), list[RenderableType]()
    later = {key: position for position, key in enumerate(links)}
    for key, others in links.items():
        rest = [other for other in others if later.get(other, -1) > later[key]]
        if rest:
            told.append(clipped(f"{key[:8]} goes with {', '.join(other[:8] for other in rest)}", console().width))
    more = (
        [Text(f"… and {len(told) - _LINKED_ROWS} more belong together", "bright_black")] if told[_LINKED_ROWS:] else []
    )
    return [*told[:_LINKED_ROWS], *more]


def budget(context: Context) -> RenderableType:
    """How full the budget is, and with what."""
    colours = _colours(context)
    bar, legend, drawn, spent = Text(), Text(), 0, 0
    for name, tokens in context.tokens.items():
        spent += tokens
        cells = round(_BAR_CELLS * min(1.0, spent / max(1, context.budget_tokens))) - drawn
        bar.append("█" * cells, colours[name])
        legend.append("█ ", colours[name]).append(f"{name} {tokens:,}  ")
        drawn += cells
    bar.append("░" * (_BAR_CELLS - drawn), "bright_black")
    bar.append(f"  {context.total_tokens:,} of {context.budget_tokens:,} tokens")
    return Group(bar, legend, Text(f"counted by {context.counter}", "bright_black"))


def _colours(context: Context) -> Mapping[str, str]:
    names = [name for name in context.tokens if name not in _OWN]
    return {**_OWN, **{name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(names)}}


def _snippets(context: Context) -> Mapping[str, Snippet]:
    return {snippet.memo_id: snippet for section in context.sections for snippet in section.snippets}


def _table(lines: Sequence[Line], snippets: Mapping[str, Snippet]) -> Table:
    """Rows are clipped to the terminal's width here: rich would rather narrow every column than one."""
    rule_cells = max((len(line.rule) for line in lines), default=0)
    rule_cells = min(max(rule_cells, 4), _RULE_CELLS)
    room = max(10, console().width - sum(_WIDTHS.values()) - len(_WIDTHS) - rule_cells - 1)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="underline")
    for name, width in {**_WIDTHS, "rule": rule_cells, "line": room}.items():
        table.add_column(name, no_wrap=True, width=width, justify="right" if name in _NUMBERS else "left")
    for line in lines:
        row = _row(line, snippets.get(line.memo_id))
        table.add_row(*row[:-2], *map(clipped, row[-2:], (rule_cells, room)), style="" if line.kept else "bright_black")
    return table


def _row(line: Line, snippet: Snippet | None) -> tuple[str, ...]:
    when = snippet.said_at if snippet is not None else None
    said = line.text.removeprefix(f"[{when:%Y-%m-%d}] ") if when else line.text
    return (
        line.memory,
        line.memo_id[:8],
        f"{when:%Y-%m-%d}" if when else "",
        f"{line.score:.2f}" if line.score else "",
        f"{line.tokens:,}",
        line.rule,
        said,
    )


def clipped(text: str, cells: int) -> Text:
    """The text on one line, cut with dots after so many cells."""
    line = Text(" ".join(text.split()))
    line.truncate(cells, overflow="ellipsis")
    return line


def memos(found: Sequence[Memo]) -> RenderableType:
    """Memos, one to a line: id, date, what was said."""
    lines = []
    for memo in found:
        line = Text.assemble((f"{memo.id[:8]} ", "bright_black"), (f"{memo.said_at:%Y-%m-%d} ", "cyan"))
        lines.append(line + clipped(f"{memo.speaker}: {memo.text}", console().width - len(line)))
    return Group(*lines)
