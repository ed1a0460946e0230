"""Workspaces from a YAML file.

    research:
      max_total_tokens: 32768
      tier_allocation: {working_memory_pct: 0.2, project_memory_pct: 0.1, long_term_memory_pct: 0.3, rag_memory_pct: 0.4}
      complexity: {keywords: {genome: 2}}

What a workspace leaves out stays as in the preset of its name, or else as in the default preset. Every mistake is told with its
line; nothing is guessed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from graph_memory.context.workspaces import WORKSPACES, Workspace
from graph_memory.settings.documents import read_document
from graph_memory.settings.specs import Mistake, quoted, spec_of


def load_workspaces(path: Path | str) -> dict[str, Workspace]:
    """The workspaces of a YAML file, beside the presets that it does not describe anew.

    Raises:
        ConfigurationError: the file cannot be read, is no YAML, or describes what cannot be; with the line.
        MissingExtraError: PyYAML is not installed.
    """
    document = read_document(Path(path))
    described = {} if document.value is None else document.value
    if not isinstance(described, dict):
        raise document.mistake((), "expected names of workspaces, each with its settings below it")
    found = dict(WORKSPACES)
    for name, settings in described.items():
        try:
            found[name] = _workspace(name, settings)
        except Mistake as mistake:
            raise document.mistake((str(name), *mistake.place), mistake.sentence) from mistake.__cause__
    return found


def _workspace(name: object, settings: object) -> Workspace:
    if not isinstance(name, str) or not name.strip():
        raise Mistake((), "a workspace's name must be text: put it in quotes")
    spec = spec_of({} if settings is None else settings)
    if spec.workspace_id not in (None, name):
        raise Mistake(("workspace_id",), f"it says {quoted(spec.workspace_id)} under another name: make the two equal")
    return spec.over(replace(WORKSPACES.get(name, WORKSPACES["default"]), name=name))
