"""Conversations with questions and the turns that answer them: a JSON file, or a transcript with a file of questions.

    {"conversations": [{"id": "…", "turns": [{"id", "session", "date", "speaker", "text"}, …],
                        "questions": [{"id", "question", "evidence": [turn ids], "category"}, …]}]}

A turn may be anything that `extract.shapes` takes for a message. `evidence_clean` goes before `evidence`, and that before
`evidence_raw`. Unlike a transcript that is remembered, data that is measured must be without faults: the first one is an error.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graph_memory.errors import ConfigurationError
from graph_memory.extract.shapes import Entry, entry
from graph_memory.extract.transcripts import Fault, messages, read

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

_GZIP_MAGIC = b"\x1f\x8b"
_EVIDENCE = ("evidence_clean", "evidence", "evidence_raw")
_TURNS = ("turns", "messages")
_SHAPE = '{"conversations": [{"turns": […], "questions": […]}]}'


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and the ids of the turns that answer it. `category` is "" where the data has none."""

    id: str
    text: str
    evidence: frozenset[str]
    category: str = ""


@dataclass(frozen=True, slots=True)
class Conversation:
    """What was said, oldest first, and the questions about it that have evidence."""

    name: str
    messages: tuple[BaseMessage, ...]
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Dataset:
    """All conversations of a file.

    Attributes:
        name: the file's.
        conversations: those that have questions.
        headline: categories that the overall figures are about; empty takes all.
        without_evidence: questions that were left out because no turn answers them.
    """

    name: str
    conversations: tuple[Conversation, ...]
    headline: frozenset[str] = frozenset()
    without_evidence: int = 0

    @property
    def size(self) -> int:
        """How many questions there are."""
        return sum(len(conversation.questions) for conversation in self.conversations)

    @property
    def asked_about(self) -> frozenset[str]:
        """The categories of its questions."""
        return frozenset(question.category for one in self.conversations for question in one.questions)

    def first(self, questions: int) -> Dataset:
        """The same with so many questions at most."""
        kept, left = [], questions
        for conversation in self.conversations:
            if left > 0:
                kept.append(replace(conversation, questions=conversation.questions[:left]))
                left -= len(conversation.questions)
        return replace(self, conversations=tuple(kept))


def load(path: Path, questions: Path | None = None) -> Dataset:
    """The data of a file; with `questions`, `path` is a transcript in any form that `ingest` takes.

    Raises:
        ConfigurationError: something is missing or of another form; the text says what and where.
        OSError: a file cannot be opened.
    """
    raw = _value(path) if questions is None else {}
    head = raw.get("headline_categories") if isinstance(raw, Mapping) else None
    parts = _whole(raw, path.name) if questions is None else [_transcript(path, questions)]
    conversations = tuple(conversation for conversation, _ in parts if conversation.questions)
    if not conversations:
        where, hint = (
            (path, f"expected {_SHAPE}, or --questions FILE") if questions is None else (questions, "add some")
        )
        raise ConfigurationError(f"{where.name} holds no question with evidence; {hint}")
    left_out = sum(count for _, count in parts)
    return Dataset(path.name, conversations, frozenset(map(str, head or ())), left_out)


def _whole(raw: object, file: str) -> list[tuple[Conversation, int]]:
    found = raw.get("conversations", [raw]) if isinstance(raw, Mapping) else raw
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise ConfigurationError(f"{file} holds no conversations; expected {_SHAPE}")
    names = [str(one.get("id") or number) for number, one in enumerate(found, 1)]
    names = [f"{name}#{number}" if name in names[: number - 1] else name for number, name in enumerate(names, 1)]
    return [_conversation(one, name, file) for name, one in zip(names, found, strict=True)]


def _conversation(raw: Mapping[str, Any], name: str, file: str) -> tuple[Conversation, int]:
    where = f"{file}, conversation {name}"
    turns = next((raw[key] for key in _TURNS if isinstance(raw.get(key), list)), None)
    if turns is None:
        raise ConfigurationError(f"{where} has no turns; expected {_SHAPE}")
    entries = list(_entries(turns, where))
    return _asked(name, entries, raw.get("questions", []), where)


def _entries(turns: Sequence[object], where: str) -> Iterator[Entry]:
    for number, raw in enumerate(turns, 1):
        try:
            yield entry(raw, number)
        except ValueError as exc:
            raise ConfigurationError(f"{where}, turn {number}: {exc}") from exc


def _transcript(path: Path, questions: Path) -> tuple[Conversation, int]:
    entries = []
    for one in read(path):
        if isinstance(one, Fault):
            raise ConfigurationError(f"{path.name}, {one}")
        entries.append(one)
    raw = _value(questions)
    return _asked(
        path.name.partition(".")[0],
        entries,
        raw.get("questions") if isinstance(raw, Mapping) else raw,
        questions.name,
    )


def _asked(name: str, entries: Sequence[Entry], raw: object, where: str) -> tuple[Conversation, int]:
    """The conversation, and how many of its questions have no evidence."""
    if not isinstance(raw, list):
        raise ConfigurationError(f"{where}: the questions are no list")
    spoken = tuple(message for message in messages(entries) if message.type != "system")  # nobody said those
    known = {one.id for one in entries} | {str(message.id) for message in spoken}
    questions = [_question(one, number, f"{name}/{number}", known, where) for number, one in enumerate(raw, 1)]
    kept = tuple(question for question in questions if question.evidence)
    return Conversation(name, spoken, kept), len(questions) - len(kept)


def _question(raw: object, number: int, default_id: str, known: Iterable[str], where: str) -> Question:
    if not isinstance(raw, Mapping) or not isinstance(raw.get("question"), str) or not raw["question"].strip():
        raise ConfigurationError(f'{where}, question {number}: expected {{"question": "…", "evidence": [turn ids]}}')
    evidence = next((raw[key] for key in _EVIDENCE if raw.get(key) is not None), None)
    if isinstance(evidence, str):
        evidence = [evidence]
    if not isinstance(evidence, list):
        raise ConfigurationError(f"{where}, question {number}: its evidence is missing; expected a list of turn ids")
    wanted = frozenset(str(one) for one in evidence)
    if unknown := sorted(wanted.difference(known)):
        raise ConfigurationError(
            f"{where}, question {number}: its evidence names {unknown[0]!r}, and no turn has that id"
        )
    category = raw.get("category")
    return Question(
        str(raw.get("id") or default_id), raw["question"], wanted, "" if category is None else str(category)
    )


def _value(path: Path) -> Any:
    raw = path.read_bytes()
    try:
        return json.loads((gzip.decompress(raw) if raw.startswith(_GZIP_MAGIC) else raw).decode("utf-8-sig"))
    except (EOFError, zlib.error, gzip.BadGzipFile) as exc:
        raise ConfigurationError(f"{path.name} is a damaged gzip file") from exc
    except UnicodeDecodeError as exc:
        raise ConfigurationError(f"{path.name} is not UTF-8 text") from exc
    except json.JSONDecodeError as exc:
        hint = "; a transcript in JSON Lines needs --questions FILE" if exc.msg == "Extra data" else ""
        raise ConfigurationError(f"{path.name} is not JSON ({exc.msg} at line {exc.lineno}){hint}") from exc
    except (ValueError, RecursionError) as exc:
        raise ConfigurationError(f"{path.name} is JSON that is nested too deeply or holds too long a number") from exc
