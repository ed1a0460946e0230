"""Settings from environment variables: `GRAPH_MEMORY_` and a setting's name in capitals.

The settings of the chosen workspace have variables too: the path to their place in the YAML file, joined by underscores, such
as `GRAPH_MEMORY_MAX_TOTAL_TOKENS`, `GRAPH_MEMORY_SCORING_WEIGHTS_RELEVANCE` or `GRAPH_MEMORY_PROMOTION_THRESHOLD`. Lists and
mappings are written as JSON; names may stand in a list with commas between them. An empty variable counts as not set.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, ValidationError, field_validator, model_validator

from graph_memory.context.workspaces import WORKSPACES, Workspace, workspace_named
from graph_memory.errors import ConfigurationError
from graph_memory.settings.documents import Place
from graph_memory.settings.specs import SECTIONS, Mistake, WorkspaceSpec, names_of, refusal, spec_of
from graph_memory.settings.workspaces import load_workspaces

logger = logging.getLogger("graph_memory")

PREFIX = "GRAPH_MEMORY_"

Strategy = Literal["sliding_window", "selective", "deletion"]
Preset = Literal["aggressive", "balanced", "conservative"]
MemoryKind = Literal["buffer", "summary", "vector", "entity", "key_value", "working"]

COMPRESSION = ("compression_threshold", "compression_ratio", "short_term_size", "compression_strategy")
"""The settings that a preset gives."""

COMPRESSION_PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        name: MappingProxyType(
            {
                "compression_threshold": threshold,
                "compression_ratio": ratio,
                "short_term_size": size,
                "compression_strategy": strategy,
            }
        )
        for name, threshold, ratio, size, strategy in (
            ("aggressive", 30_000, 0.2, 10, "sliding_window"),
            ("balanced", 40_000, 0.3, 20, "sliding_window"),
            ("conservative", 60_000, 0.5, 20, "selective"),
        )
    }
)
"""What each preset says of compression; a setting that is given as well has the last word."""


class MemorySettings(BaseModel):
    """Settings from outside the code. `model_fields_set` names those that were given, by themselves or by a preset.

    None leaves a setting to the code: the option of `attach` or of the memory stays as it was written there.

    Attributes:
        enabled: whether there is memory at all.
        url, user: where memory is kept, and whose it is.
        budget_tokens, reserve_tokens: tokens of everything that the LLM node receives, and what is left free of them.
        workspace, workspaces: the policy's name, and a YAML file that describes it; without a file, one of the presets.
        overrides: what is said about the chosen workspace beside that file.
        preset: settings of compression by name; see `COMPRESSION_PRESETS`.
        compression_threshold: tokens of history from which it is compressed.
        compression_ratio: tokens of the summary as a share of what it replaces.
        compression_strategy: "sliding_window" summarises what is old, "selective" keeps what matters, "deletion" drops it.
        short_term_size: newest messages that are never compressed.
        preserve_system_prompts, preserve_tool_calls: whether these are kept as they are.
        model, summary_model, embed: "provider:name" of the chat model, the one that summarises, the embedding model.
        turns, tokens, seconds, flush_tokens, prune: options of `BufferMemory`.
        limit, candidates, threshold, rerank, freshness_weight, half_life_hours, counts_accesses: options of `VectorMemory`.
        ttl_seconds: how long both keep a message.
        memories: which memories there are; `graph_memory.configured` says which without this.
        weights: their shares of the budget, in place of the defaults.
        history_min_share, memory_max_share: fractions of the budget that history has at least, and each other memory at most.
        mode: whether memories are asked in "parallel", or "sequential".
        namespace: where `KeyValueMemory` keeps values.
        capacity, eviction, reasoning_chain, working_ttl_seconds: options of `WorkingMemory`.
        entity_types, relationship_tracking: options of `EntityMemory`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    enabled: bool = True
    url: str | None = None
    user: str | None = None
    budget_tokens: int | None = Field(default=None, gt=0)
    reserve_tokens: int | None = Field(default=None, ge=0)
    workspace: str = "default"
    workspaces: Path | None = None
    overrides: WorkspaceSpec = WorkspaceSpec()
    preset: Preset | None = None
    compression_threshold: int = Field(default=40_000, gt=0)
    compression_ratio: float = Field(default=0.3, gt=0, lt=1)
    compression_strategy: Strategy = "sliding_window"
    short_term_size: int = Field(default=20, gt=0)
    preserve_system_prompts: bool = True
    preserve_tool_calls: bool = True
    model: str | None = None
    summary_model: str | None = None
    embed: str | None = None
    turns: int | None = Field(default=None, gt=0)
    tokens: int | None = Field(default=None, gt=0)
    seconds: float | None = Field(default=None, gt=0)
    flush_tokens: int | None = Field(default=None, ge=0)
    prune: bool | None = None
    limit: int | None = Field(default=None, gt=0)
    candidates: int | None = Field(default=None, gt=0)
    threshold: float | None = Field(default=None, ge=0, le=1)
    rerank: int | None = Field(default=None, gt=0)
    freshness_weight: float | None = Field(default=None, ge=0, le=1)
    half_life_hours: float | None = Field(default=None, gt=0)
    ttl_seconds: float | None = Field(default=None, gt=0)
    counts_accesses: bool | None = None
    memories: tuple[MemoryKind, ...] | None = Field(default=None, min_length=1)
    weights: dict[MemoryKind, PositiveFloat] | None = None
    history_min_share: float | None = Field(default=None, ge=0, le=1)
    memory_max_share: float | None = Field(default=None, gt=0, le=1)
    mode: Literal["parallel", "sequential"] | None = None
    namespace: str | None = None
    capacity: int | None = Field(default=None, gt=0)
    eviction: Literal["importance", "lru", "fifo"] | None = None
    reasoning_chain: bool | None = None
    working_ttl_seconds: float | None = Field(default=None, gt=0)
    entity_types: tuple[str, ...] | None = Field(default=None, min_length=1)
    relationship_tracking: bool | None = None

    @field_validator("memories", "entity_types", mode="before")
    @classmethod
    def _listed(cls, given: Any) -> Any:
        return [name.strip() for name in given.split(",")] if isinstance(given, str) else given

    @model_validator(mode="before")
    @classmethod
    def _with_preset(cls, given: Any) -> Any:
        preset = given.get("preset") if isinstance(given, dict) else None
        return {**COMPRESSION_PRESETS.get(preset, {}), **given} if isinstance(preset, str) else given

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> MemorySettings:
        """What the variables say; those that only look like one of ours are named in a warning.

        Raises:
            ConfigurationError: a variable has a value that cannot be; the message names the variable.
        """
        given = {name: value for name, value in environ.items() if name.startswith(PREFIX) and value.strip()}
        for warning in misspellings(environ):
            logger.warning(warning)
        plain = {
            field: _value(name, given[name]) if field in _STRUCTURED else given[name]
            for name, field in _FIELDS.items()
            if name in given
        }
        try:
            return cls.model_validate({**plain, **_overrides(given)})
        except ValidationError as exc:
            error = exc.errors(include_url=False, include_context=False)[0]
            sentence = refusal(error["input"], error["msg"])
            raise ConfigurationError(f"{_in_variable(error['loc'])}: {sentence}") from None

    def chosen_workspace(self) -> Workspace:
        """The workspace by its name, from the file if there is one, with the overrides.

        Raises:
            ConfigurationError: there is none of that name, or the file or an override is wrong.
            MissingExtraError: there is a file, and PyYAML is not installed.
        """
        known = load_workspaces(self.workspaces) if self.workspaces is not None else WORKSPACES
        try:
            return self.overrides.over(workspace_named(self.workspace, known))
        except Mistake as mistake:
            raise ConfigurationError(f"{variable((*mistake.place, '…'))}: {mistake.sentence}") from mistake.__cause__


def variable(place: Place) -> str:
    """The variable of a setting, by its name or its place in a workspace."""
    return PREFIX + "_".join(map(str, place)).upper()


def _in_variable(place: Place) -> str:
    """The variable of a setting, and the key of its value that is wrong, where the value does not tell by itself."""
    is_told = len(place) < 2 or isinstance(place[1], int) or place[-1] == "[key]"
    return variable(place[:1]) if is_told else f"{variable(place[:1])}, {place[1]}"


def _workspace_places() -> Iterator[Place]:
    for name in names_of(WorkspaceSpec):
        if name in SECTIONS:
            yield from ((name, setting) for setting in names_of(SECTIONS[name]))
        elif name != "workspace_id":
            yield (name,)


_FIELDS = {variable((name,)): name for name in MemorySettings.model_fields if name != "overrides"}
_STRUCTURED = ("memories", "weights", "entity_types")
_OVERRIDES = {variable(place): place for place in _workspace_places()}

VARIABLES = (*_FIELDS, *_OVERRIDES)
"""Every variable that is read."""


def _overrides(given: Mapping[str, str]) -> dict[str, WorkspaceSpec]:
    described: dict[Any, Any] = {}
    for name, place in ((name, place) for name, place in _OVERRIDES.items() if name in given):
        section = described if len(place) == 1 else described.setdefault(place[0], {})
        section[place[-1]] = _value(name, given[name])
    try:
        return {"overrides": spec_of(described, as_text=True)} if described else {}
    except Mistake as mistake:
        raise ConfigurationError(f"{variable(mistake.place[:2])}: {mistake.sentence}") from None


def _value(name: str, text: str) -> Any:
    if not text.strip().startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigurationError(f"{name}: {refusal(text, 'it should be JSON')}") from None


def misspellings(environ: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each variable that is set and only looks like one of ours."""
    for name, value in environ.items():
        if name.startswith(PREFIX) and value.strip() and name not in VARIABLES:
            for meant in get_close_matches(name, VARIABLES, n=1, cutoff=0.9):
                yield f"{name} is set but not known: did you mean {meant}?"
