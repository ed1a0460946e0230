"""The tables of `graph-memory eval`: what each setting found, how two differ, what fitting gained. 80 columns are enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from graph_memory.cli.show import clipped
from graph_memory.evaluation.data import Dataset
from graph_memory.evaluation.fit import Judged
from graph_memory.evaluation.measures import Difference
from graph_memory.evaluation.running import MEASURES, Outcome, headline, means

Outcomes = Mapping[str, Sequence[Outcome]]
"""Name of a setting to what came of each question."""

_NAME_CELLS = 16


def figures(outcomes: Outcomes, dataset: Dataset, *, by_category: bool) -> RenderableType:
    """One row for each setting; with `by_category`, under it one for each category."""
    heads = [name.replace("evidence@", "evid\n@").replace("nDCG@", "nDCG\n@") for name in MEASURES]
    table = _table("setting", "ques-\ntions", *heads, "ms")
    for name, asked in outcomes.items():
        table.add_row(*_figures(name, headline(asked, dataset.headline)))
        for category in sorted({one.question.category for one in asked}) if by_category else ():
            part = [one for one in asked if one.question.category == category]
            table.add_row(*_figures(category or "no category", part, indent="  "), style="bright_black")
    return table


def legend(dataset: Dataset, counter: str) -> Text:
    """What the figures mean, and which questions they are about."""
    lines = [
        "in percent; ms: median time of a search",
        "evid: share of the turns that answer in a context of 1,000 and 2,000 tokens",
        f"tokens counted by {counter}",
    ]
    if dataset.asked_about & dataset.headline:
        lines.append(f"together: {', '.join(sorted(dataset.asked_about & dataset.headline))}")
    if dataset.without_evidence:
        lines.append(f"left out, because nothing answers them: {dataset.without_evidence:,} questions")
    return Text("\n".join(lines), "bright_black")


def comparison(differences: Mapping[str, Difference], first: str, second: str) -> RenderableType:
    """The differences, in points of a percent; grey where the interval holds zero."""
    table = _table("measure", "difference", "95 % interval", "p")
    for name, one in differences.items():
        interval = f"{100 * one.low:+.1f} to {100 * one.high:+.1f}"
        chance = "<0.001" if one.p < 0.001 else f"{one.p:.3f}"
        row = (name, f"{100 * one.mean:+.1f}", interval, chance)
        table.add_row(*row, style="" if one.is_clear else "bright_black")
    head = Text(f"\n{clipped(second, _NAME_CELLS)} against {clipped(first, _NAME_CELLS)}: points gained")
    return Group(head, table, Text("paired bootstrap over questions; grey where it may be chance", "bright_black"))


def held_out(judged: Sequence[Judged], by_category: Mapping[str, Sequence[tuple[float, float]]]) -> RenderableType:
    """nDCG@10 by the weights before and by those fitted to the other folds: of each fold, and of each category, if several."""
    table = _table("held out", "questions", "nDCG@10 before", "fitted")
    for one in judged:
        table.add_row(*_pairs(one.fold.name, list(zip(one.before.tolist(), one.after.tolist(), strict=True))))
    for category, pairs in by_category.items() if len(by_category) > 1 else ():
        table.add_row(*_pairs(category or "no category", pairs, indent="  "), style="bright_black")
    return table


def _pairs(name: str, pairs: Sequence[tuple[float, float]], indent: str = "") -> list[Text]:
    figures = [f"{100 * fmean(values):.1f}" for values in zip(*pairs, strict=True)]
    return [Text(indent) + clipped(name, _NAME_CELLS - len(indent)), *map(Text, (f"{len(pairs):,}", *figures))]


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _figures(name: str, outcomes: Sequence[Outcome], indent: str = "") -> list[Text]:
    found = means(outcomes)
    values = [f"{len(outcomes):,}", *(f"{100 * found[measure]:.1f}" for measure in MEASURES), f"{found['ms']:.1f}"]
    return [Text(indent) + clipped(name, _NAME_CELLS - len(indent)), *map(Text, values)]
