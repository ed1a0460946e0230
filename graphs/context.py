"""The settings of a run that Studio offers beside each graph, each shown at the nodes that it concerns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field, create_model

PROMPT = "You are a helpful assistant. Use what you remember; say so when you do not know."
"""Used where a model answers and nobody wrote another."""


class RunContext(BaseModel):
    """Whose memory a run concerns, and what the model is told."""

    user_id: str | None = Field(
        default=None, description="Whose memory it is. Left empty, memory is private to the thread."
    )
    system_prompt: str = Field(
        default=PROMPT, description="What the model is told; the extractive reader has no use for it."
    )


def context_for(nodes: Sequence[str]) -> type[RunContext]:
    """The settings of a graph whose LLM nodes these are, with the metadata by which Studio finds the node of a setting."""
    memory = [name for node in nodes for name in (f"{node}_memory", node, f"{node}_remember")]
    return create_model("Context", __base__=RunContext, **_fields({"user_id": memory, "system_prompt": list(nodes)}))


def _fields(nodes: dict[str, list[str]]) -> dict[str, Any]:
    """The fields again, each with its nodes; the one that holds a prompt says so."""
    kinds = {"system_prompt": {"langgraph_type": "prompt"}}
    return {
        name: (
            field.annotation,
            Field(
                default=field.default,
                description=field.description,
                json_schema_extra={"langgraph_nodes": list(nodes[name]), **kinds.get(name, {})},
            ),
        )
        for name, field in RunContext.model_fields.items()
        if name in nodes
    }


def context_of_recall(node: str) -> type[BaseModel]:
    """The settings of a graph that only recalls, by that node."""
    return create_model("Context", **_fields({"user_id": [node]}))
