"""Every error that graph_memory raises by itself, and nothing else.

    GraphMemoryError
    ├─ ConfigurationError (ValueError)     wrong settings, unknown url, missing scope
    ├─ MissingExtraError (ImportError)     an optional package is absent; names the pip command
    ├─ BudgetError (ValueError)            what is pinned does not fit; names the sizes
    ├─ ModelError                          a model failed or answered nonsense
    └─ StoreError                          a store refused or failed
       ├─ StoreUnavailableError            no answer in time, or no store at all
       ├─ ConflictError                    somebody else was first
       └─ SchemaOutdatedError              the schema is older or newer than this version

Messages say what, where and what to do; never the content of a memory, never a key.
"""

from __future__ import annotations


class GraphMemoryError(Exception):
    """The root: catch it to catch everything that this package raises on purpose."""


class ConfigurationError(GraphMemoryError, ValueError):
    """A setting, a url, a node name or a scope is wrong."""


class MissingExtraError(GraphMemoryError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, purpose: str, extra: str) -> None:
        super().__init__(f"{purpose} needs an optional package: pip install 'graph-memory[{extra}]'")


class BudgetError(GraphMemoryError, ValueError):
    """What must be in the context (pinned content, the newest human message) exceeds the budget.

    Attributes:
        needed_tokens: tokens of what must be shown.
        budget_tokens: tokens that were allowed.
    """

    def __init__(self, message: str, *, needed_tokens: int, budget_tokens: int) -> None:
        super().__init__(message)
        self.needed_tokens = needed_tokens
        self.budget_tokens = budget_tokens


class ModelError(GraphMemoryError):
    """A chat model failed, timed out or answered something unusable."""


class StoreError(GraphMemoryError):
    """A store refused or failed."""


class StoreUnavailableError(StoreError):
    """A store gave no answer in time, or the graph has none."""


class ConflictError(StoreError):
    """Another writer was first."""


class SchemaOutdatedError(StoreError):
    """The stored schema and this version of graph_memory do not match."""
