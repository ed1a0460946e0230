"""What the site does beyond its theme: it draws Mermaid while it is built, and leads links out of `docs/` to the repository.

A page needs nothing from the network to be read, so the diagrams are pictures in it instead of a script that draws them.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Any

import mermaidx

ROOT = Path(__file__).parent
_LINK = re.compile(r"(?<=\]\()(?!\w+:)([^)#\s]+)(#[^)\s]*)?(?=\))")
_UNNAMED = re.compile(r"""(?<= id=")(?!drawing-)""")
_drawn = 0


def on_config(config: Any) -> None:
    """Has fenced blocks of Mermaid drawn."""
    fence = {"name": "mermaid", "class": "drawing", "format": drawing}
    config.mdx_configs.setdefault("pymdownx.superfences", {})["custom_fences"] = [fence]


def drawing(source: str, language: str, css_class: str, *_: Any, **__: Any) -> str:
    """The picture of a diagram; its ids are its own, so that a page may hold several."""
    global _drawn
    _drawn += 1
    picture = mermaidx.render(source).svg().replace("my-svg", f"drawing-{_drawn}")
    picture = _UNNAMED.sub(f"drawing-{_drawn}-", picture)
    return f'<div class="{escape(css_class)}">{picture}</div>'


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """The page with links to files outside of `docs/` leading to where the project is kept.

    Raises:
        FileNotFoundError: there is no such file.
    """

    def led(link: re.Match[str]) -> str:
        target = normpath(join("docs", dirname(page.file.src_uri), link[1]))
        if target.split("/", 1)[0] == "docs":
            return link[0]
        if not (ROOT / target).exists():
            raise FileNotFoundError(f"docs/{page.file.src_uri} links to {link[1]}, which is not there")
        kind = "tree" if (ROOT / target).is_dir() else "blob"
        return f"{config.extra['source']}/{kind}/main/{target}{link[2] or ''}"

    return _LINK.sub(led, markdown)
