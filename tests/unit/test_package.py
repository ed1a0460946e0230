"""What the package shows to the outside."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import graph_memory


def test_every_public_name_is_there() -> None:
    """Each name of `__all__` can be imported, and none is forgotten in the table that type checkers read."""
    source = Path(graph_memory.__file__).read_text(encoding="utf-8")
    for name in graph_memory.__all__:
        assert getattr(graph_memory, name) is not None
        assert name == "__version__" or f"import {name} as {name}\n" in source


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As in any module."""
    assert not hasattr(graph_memory, "no_such_name")


def test_importing_costs_nothing() -> None:
    """`import graph_memory` brings in neither LangGraph nor LangChain; the store does not bring in graphs."""
    check = (
        "import sys, graph_memory; assert not [m for m in sys.modules if m.startswith(('langgraph', 'langchain'))];"
        "graph_memory.open_store; assert 'langgraph.graph' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", check], check=True)


def test_modules_say_what_they_hold() -> None:
    """Every module has a docstring."""
    root = Path(graph_memory.__file__).parent
    for path in root.rglob("*.py"):
        name = ".".join(path.relative_to(root.parent).with_suffix("").parts).removesuffix(".__init__")
        if not name.endswith("__main__"):
            assert import_module(name).__doc__, name
