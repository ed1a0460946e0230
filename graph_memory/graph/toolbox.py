"""Which memory tools there are, for a list of memories: their names, what a model is told of them, and their arguments."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, TypeVar

from pydantic import BaseModel, Field, ValidationError

from graph_memory.errors import ConfigurationError
from graph_memory.graph.tool_bodies import (
    LONGEST_TEXT,
    MOST_LINES,
    Answer,
    RefusedError,
    Saved,
    look_up,
    note,
    read_notes,
)
from graph_memory.memories.assembly import traceback_of
from graph_memory.memories.base import Memory
from graph_memory.memories.checking import listed
from graph_memory.memories.entity import EntityMemory
from graph_memory.memories.key_value.memory import KeyValueMemory
from graph_memory.memories.vector import VectorMemory
from graph_memory.memories.working.memory import WorkingMemory
from graph_memory.steps import Steps

logger = logging.getLogger("graph_memory")

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What the APIs of OpenAI, Anthropic and Gemini all take as a tool's name."""

M = TypeVar("M", bound=Memory)
Body = Callable[..., Steps[Answer]]


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool.

    Attributes:
        name: what the model calls it.
        description: what the model is told.
        arguments: their schema.
        body: takes a `Call`, and the arguments by name.
    """

    name: str
    description: str
    arguments: type[BaseModel]
    body: Body


_Text = Annotated[str, Field(description=f"A fact that is understood by itself; at most {LONGEST_TEXT} characters.")]
_Id = Annotated[str, Field(description="The id in brackets, as search and list show it.")]


class _Search(BaseModel):
    query: Annotated[str, Field(description="What to look for, in plain words.")]
    limit: Annotated[int, Field(description=f"How many lines at most, 1 to {MOST_LINES}.")] = 5


class _Save(BaseModel):
    text: _Text


class _SaveKeyed(BaseModel):
    text: _Text
    key: Annotated[str, Field(description="Only for a preference or setting: its name; the text is its value.")] = ""


class _SaveValue(BaseModel):
    key: Annotated[str, Field(description="Name of the preference or setting.")]
    text: Annotated[str, Field(description="Its value.")]


class _Update(BaseModel):
    id: _Id
    text: _Text


class _Forget(BaseModel):
    id: _Id


class _ForgetKeyed(BaseModel):
    id: Annotated[str, Field(description="The id in brackets, or the name of a preference, as list shows it.")]


class _Page(BaseModel):
    page: Annotated[int, Field(description="1 has the newest.")] = 1


class _LookUp(BaseModel):
    name: Annotated[str, Field(description="Of a person, a place, an organisation or a thing.")]


class _Note(BaseModel):
    key: Annotated[str, Field(description="Name of the note; noting it again replaces it.")]
    text: Annotated[str, Field(description="What to keep in mind; empty removes the note.")]


_SEARCH = (
    "Search long-term memory: what was said in earlier conversations, and what was saved. Use it before saying that something"
    " about the user is not known. Lines with an id in brackets were saved, and can be updated or forgotten."
)
_SAVE = "Save what will matter in later conversations: a fact about the user or the task, or a preference."
_UPDATE = "Correct something saved that has changed or was wrong."
_FORGET = "Forget something saved, because the user asks for it or it is wrong."
_LIST = "List what is saved: preferences, then facts, the newest first."
_LOOK_UP = "Tell what is known of a person, a place, an organisation or a thing, by name."
_NOTE = "Keep a note for the work at hand, such as a plan or an interim result."
_READ = "Read the notes on the work at hand, the newest first."


def tools_of(memories: Iterable[Memory], prefix: str = "") -> list[Tool]:
    """The tools that these memories make possible; memories of other kinds add none.

    Raises:
        ConfigurationError: two memories are of one kind, or none makes a tool, or the prefix makes no name of a tool.
    """
    given = listed(memories)
    facts, values = _only(given, VectorMemory), _only(given, KeyValueMemory)
    entities, working = _only(given, EntityMemory), _only(given, WorkingMemory)
    made = _of_saved(facts, values) if facts is not None or values is not None else []
    if entities is not None:
        made += [Tool("look_up_entity", _LOOK_UP, _LookUp, partial(look_up, entities))]
    if working is not None:
        made += [Tool("note", _NOTE, _Note, partial(note, working))]
        made += [Tool("read_notes", _READ, _Page, partial(read_notes, working))]
    if not made:
        raise ConfigurationError(
            "none of these memories has tools: give a VectorMemory, KeyValueMemory, EntityMemory or WorkingMemory"
        )
    for tool in made:
        if not _NAME.fullmatch(f"{prefix}{tool.name}"):
            raise ConfigurationError(
                f"prefix={prefix!r} makes {f'{prefix}{tool.name}'!r}, which providers refuse as a tool's name: use letters,"
                " digits, - and _ only, and no more than 64 with the name"
            )
    return [Tool(f"{prefix}{tool.name}", tool.description, tool.arguments, tool.body) for tool in made]


def mistake_in(error: ValidationError) -> str:
    """What is wrong with a call's arguments, in a sentence for the model that made them."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(map(str, first["loc"])) or "the arguments"
    return f"{where}: {first['msg']}"


def sentence_of(error: Exception, tool: Tool) -> str:
    """What the model is told of a failure: what it can do about it, and nothing of what is inside."""
    if isinstance(error, RefusedError):
        return str(error)
    logger.warning("the tool %r failed: %s", tool.name, error, exc_info=traceback_of(error))
    return "memory cannot be reached now: go on without it"


def _of_saved(facts: VectorMemory | None, values: KeyValueMemory | None) -> list[Tool]:
    saved = Saved(facts, values)
    saves = _Save if values is None else _SaveValue if facts is None else _SaveKeyed
    of_facts = [
        Tool("search_memory", _SEARCH, _Search, saved.search),
        Tool("update_memory", _UPDATE, _Update, saved.update),
    ]
    return [
        *(of_facts if facts is not None else []),
        Tool("save_memory", _SAVE, saves, saved.save),
        Tool("forget_memory", _FORGET, _Forget if values is None else _ForgetKeyed, saved.forget),
        Tool("list_memories", _LIST, _Page, saved.every),
    ]


def _only(memories: Iterable[Memory], kind: type[M]) -> M | None:
    """The memory of a kind.

    Raises:
        ConfigurationError: there are two.
    """
    found = [memory for memory in memories if isinstance(memory, kind)]
    if len(found) > 1:
        raise ConfigurationError(
            f"the memories {found[0].name!r} and {found[1].name!r} are of one kind, and a tool could not tell which is meant:"
            " make tools of each by itself, with a prefix="
        )
    return found[0] if found else None
