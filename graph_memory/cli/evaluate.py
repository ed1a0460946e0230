"""`graph-memory eval`: how well memory finds what answers, on one's own conversations; settings compared, weights fitted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer

from graph_memory.cli.figures import Outcomes, comparison, figures, legend
from graph_memory.cli.fitting import fit
from graph_memory.cli.settings import Settings
from graph_memory.cli.show import console, progress
from graph_memory.context.tokens import token_counter
from graph_memory.errors import ConfigurationError
from graph_memory.evaluation.data import Dataset, load
from graph_memory.evaluation.measures import Difference, paired_bootstrap
from graph_memory.evaluation.options import described, read_memory
from graph_memory.evaluation.running import Outcome, ask, headline, means, remember
from graph_memory.memories.vector import VectorMemory

_COMPARED = ("R@10", "nDCG@10", "evidence@1000")
_YAML = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Job:
    """What was asked for.

    Attributes:
        data: conversations with questions, or a transcript.
        questions: the questions about a transcript.
        settings: YAML files; none measures the default.
        by_category: whether each category gets a row as well.
        json: where to write what a machine reads.
        limit: how many questions at most.
        fit: where to write fitted weights; they are looked for instead of measuring.
        seed: of everything random.
    """

    data: Path
    questions: Path | None = None
    settings: tuple[Path, ...] = ()
    by_category: bool = False
    json: Path | None = None
    limit: int | None = None
    fit: Path | None = None
    seed: int = 0


def data_and_settings(paths: Sequence[Path], settings: Sequence[Path]) -> tuple[Path, tuple[Path, ...]]:
    """Tells DATA from the YAML files that stand after the first one of a `--settings`.

    Raises:
        BadParameter: there is not exactly one DATA.
    """
    more = [path for path in paths if settings and path.suffix.lower() in _YAML]
    data = [path for path in paths if path not in more]
    if len(data) != 1:
        raise typer.BadParameter(
            f"give one file, got {', '.join(map(str, data)) or 'settings only'}", param_hint="DATA"
        )
    return data[0], (*settings, *more)


def evaluate(settings: Settings, job: Job) -> None:
    """The command.

    Raises:
        ConfigurationError: the data, a setting or an option is wrong.
        OSError: a file cannot be read or written.
        StoreError: the embedder failed.
    """
    memories = _memories(job)
    dataset = load(job.data, job.questions)
    dataset = dataset if job.limit is None else dataset.first(job.limit)
    if job.fit is not None:
        [memory] = memories.values()
        result = fit(settings, dataset, memory, job.fit, seed=job.seed)
    else:
        result = _measure(settings, dataset, memories, job)
    if job.json is not None:
        job.json.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def measured(settings: Settings, dataset: Dataset, memories: Mapping[str, VectorMemory]) -> Outcomes:
    """What comes of every question by every setting."""
    outcomes: dict[str, list[Outcome]] = {name: [] for name in memories}
    counter = token_counter()
    with settings.open() as opened, progress("asking", dataset.size * len(memories)) as advance:
        for conversation in dataset.conversations:
            remember(conversation, opened.store)
            for name, memory in memories.items():
                for question in conversation.questions:
                    outcomes[name].append(ask(conversation, question, memory, opened.store, counter))
                    advance(1)
    return outcomes


def compared(outcomes: Outcomes, dataset: Dataset, *, seed: int) -> dict[str, Difference]:
    """The difference of two settings, the second minus the first; nothing for any other number of them."""
    if len(outcomes) != 2:
        return {}
    first, second = (headline(asked, dataset.headline) for asked in outcomes.values())
    return {
        name: paired_bootstrap([one.values[name] for one in first], [one.values[name] for one in second], seed=seed)
        for name in _COMPARED
    }


def _memories(job: Job) -> dict[str, VectorMemory]:
    """Each setting under its file's name, once everything is checked that can be before the work begins."""
    for path in (job.json, job.fit):
        if path is not None and (path.is_dir() or not path.parent.is_dir()):
            raise ConfigurationError(f"{path} cannot be written: give a file in a folder that exists")
    if job.fit is not None and len(job.settings) > 1:
        raise ConfigurationError("--fit starts from one setting; give --settings once or not at all")
    if len(set(job.settings)) < len(job.settings):
        raise ConfigurationError("the same settings are given twice")
    stems = [path.stem for path in job.settings]
    names = stems if len(set(stems)) == len(stems) else [str(path) for path in job.settings]
    found = {name: read_memory(path) for name, path in zip(names, job.settings, strict=True)}
    return found or {"default": VectorMemory()}


def _measure(settings: Settings, dataset: Dataset, memories: Mapping[str, VectorMemory], job: Job) -> dict[str, Any]:
    outcomes = measured(settings, dataset, memories)
    console().print(figures(outcomes, dataset, by_category=job.by_category))
    console().print(legend(dataset, token_counter().name))
    differences = compared(outcomes, dataset, seed=job.seed)
    if differences:
        console().print(comparison(differences, *memories))
    return {
        "data": dataset.name,
        "without_evidence": dataset.without_evidence,
        "settings": [_setting(name, outcomes[name], dataset, memory) for name, memory in memories.items()],
        "compared": {name: asdict(one) for name, one in differences.items()},
    }


def _setting(name: str, asked: Sequence[Outcome], dataset: Dataset, memory: VectorMemory) -> dict[str, Any]:
    """Fractions of 1, times in milliseconds."""
    categories = sorted({one.question.category for one in asked})
    parts = {each: [one for one in asked if one.question.category == each] for each in categories}
    overall = headline(asked, dataset.headline)
    return {
        "name": name,
        "options": described(memory),
        "overall": {"questions": len(overall), **means(overall)},
        "by_category": {each: {"questions": len(part), **means(part)} for each, part in parts.items()},
        "questions": [_question(one) for one in asked],
    }


def _question(one: Outcome) -> dict[str, Any]:
    return {
        "id": one.question.id,
        "conversation": one.conversation,
        "category": one.question.category,
        "evidence": sorted(one.question.evidence),
        "found": list(one.found),
        **one.values,
        "ms": round(one.search_ms, 3),
    }
