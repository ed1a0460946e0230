"""`python -m graphs.draw`: the chat graph, drawn by itself, into README.md and, as text and as a picture, into docs/."""

from __future__ import annotations

import re
from pathlib import Path

import mermaidx

from graphs.chat import graph

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r"```mermaid\n.*?```", re.DOTALL)
_KIND = re.compile(r"<hr/><small><em>memory = \w+</em></small>")
_STRAIGHT = "---\nconfig:\n  flowchart:\n    curve: linear\n---\n"


def picture() -> str:
    """The drawing with every memory, without the lines that say of each what its name says."""
    drawn = graph.get_graph(xray=True).draw_mermaid().removeprefix(_STRAIGHT)
    return _KIND.sub("", drawn).replace("\t", "    ").rstrip() + "\n"


def with_picture(page: str) -> str:
    """A page with the drawing in its mermaid block."""
    return _BLOCK.sub(lambda _: f"```mermaid\n{picture()}```", page, count=1)


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(with_picture(readme.read_text(encoding="utf-8")), encoding="utf-8")
    (ROOT / "docs" / "chat-graph.mmd").write_text(picture(), encoding="utf-8")
    mermaidx.render(picture()).save(str(ROOT / "docs" / "chat-graph.png"), scale=2, background="white")
