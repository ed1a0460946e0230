"""What the site does with links that leave docs/, and with Mermaid."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from mkdocs_hooks import drawing, on_page_markdown

CONFIG = SimpleNamespace(extra={"source": "https://example.org/project"})


def led(markdown: str, page: str = "memories/buffer.md") -> str:
    """A page as it is built."""
    return on_page_markdown(markdown, SimpleNamespace(file=SimpleNamespace(src_uri=page)), CONFIG)


@pytest.mark.parametrize(
    ("link", "leads_to"),
    [
        ("../../CHANGELOG.md", "https://example.org/project/blob/main/CHANGELOG.md"),
        ("../../CONTRIBUTING.md#ranking", "https://example.org/project/blob/main/CONTRIBUTING.md#ranking"),
        ("../../examples", "https://example.org/project/tree/main/examples"),
        ("../concepts.md#tokens", "../concepts.md#tokens"),
        ("#options", "#options"),
        ("https://example.org/docs", "https://example.org/docs"),
    ],
)
def test_a_link_leads_to_the_site_or_to_the_repository(link: str, leads_to: str) -> None:
    """Files, folders and anchors."""
    assert led(f"See [it]({link}).") == f"See [it]({leads_to})."


def test_a_link_to_nothing_stops_the_build() -> None:
    """Naming the page and the link."""
    with pytest.raises(FileNotFoundError, match=r"docs/memories/buffer\.md links to \.\./\.\./nothing\.md"):
        led("[it](../../nothing.md)")


def test_two_drawings_share_no_ids() -> None:
    """A page may hold several; each is a picture, with its words."""
    first, second = (drawing("graph TD;\n    a(plan) --> b(merge);\n", "mermaid", "drawing") for _ in range(2))

    ids = [set(re.findall(r' id="([^"]+)"', picture)) for picture in (first, second)]
    assert ids[0]
    assert not ids[0] & ids[1]
    assert 'class="drawing"' in first
    assert "plan" in first
