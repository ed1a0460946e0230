"""Settings that come from outside the code: workspaces from YAML, everything else from the environment."""

from __future__ import annotations

from graph_memory.settings.environment import MemorySettings as MemorySettings
from graph_memory.settings.workspaces import load_workspaces as load_workspaces
