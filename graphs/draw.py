"""`python -m graphs.draw`: the graphs, drawn by themselves, into README.md and the pages of docs/.

A page asks for a picture by a comment above its mermaid block: `<!-- picture: chat -->`. The chat graph is besides kept as text
and as a picture, docs/chat-graph.mmd and .png.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import mermaidx
from langgraph.graph import END, START, MessagesState, StateGraph

from graph_memory import BufferMemory, VectorMemory, attach, extractive_node
from graphs import agents, chat, orchestrator

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_PLACE = re.compile(r"<!-- picture: (\w+) -->\n+```mermaid\n.*?```", re.DOTALL)
_KIND = re.compile(r"<hr/><small><em>memory = \w+</em></small>")
_STRAIGHT = "---\nconfig:\n  flowchart:\n    curve: linear\n---\n"


def _one_node(*, with_memory: bool) -> Any:
    """A graph of one LLM node, as it is before `attach` and after."""
    builder = StateGraph(MessagesState)
    builder.add_node("assistant", extractive_node())
    builder.add_edge(START, "assistant")
    builder.add_edge("assistant", END)
    if with_memory:
        attach(builder, "assistant", [BufferMemory(), VectorMemory()], budget_tokens=2000)
    return builder.compile()


GRAPHS = {
    "chat": chat.graph,
    "orchestrator": orchestrator.graph,
    "agents": agents.graph,
    "before": _one_node(with_memory=False),
    "after": _one_node(with_memory=True),
}


def picture(name: str) -> str:
    """The drawing with every memory, without the lines that say of each what its name says."""
    drawn = GRAPHS[name].get_graph(xray=True).draw_mermaid().removeprefix(_STRAIGHT)
    return _KIND.sub("", drawn).replace("\t", "    ").rstrip() + "\n"


def with_pictures(page: str) -> str:
    """A page with each drawing where it asks for one."""
    return _PLACE.sub(lambda place: f"<!-- picture: {place[1]} -->\n\n```mermaid\n{picture(place[1])}```", page)


if __name__ == "__main__":
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if (drawn := with_pictures(text)) != text:
            page.write_text(drawn, encoding="utf-8")
    kept = ROOT / "docs" / "chat-graph.mmd"
    if kept.read_text(encoding="utf-8") != picture("chat"):
        kept.write_text(picture("chat"), encoding="utf-8")
        mermaidx.render(picture("chat")).save(str(ROOT / "docs" / "chat-graph.png"), scale=2, background="white")
