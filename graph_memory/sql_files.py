"""The numbered SQL files that come with the package, and whether a database has what they make."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from graph_memory.errors import SchemaOutdatedError, StoreError

_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file.

    Attributes:
        version: its number.
        name: the rest of its name.
        sql: its text.
    """

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """Changes when the text does."""
        return sha256(self.sql.encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.version:04} {self.name.replace('_', ' ')}"


def migrations(folder: Path | None = None) -> tuple[Migration, ...]:
    """All migrations of this version, in order.

    Args:
        folder: where they are; None for those that come with the package.

    Raises:
        StoreError: the numbers are not 1, 2, 3 and so on.
    """
    files = sorted((folder or _folder()).glob("*.sql"))
    found = [
        Migration(int(match[1]), match[2], file.read_text(encoding="utf-8"))
        for file in files
        if (match := _NAME.fullmatch(file.name))
    ]
    if [one.version for one in found] != list(range(1, len(found) + 1)) or not found:
        raise StoreError("the migrations that come with graph_memory are incomplete: install it again")
    return tuple(found)


def check_version(version: int, where: str) -> None:
    """Makes sure that a database has what this version needs.

    Raises:
        SchemaOutdatedError: it lacks migrations, or a newer version migrated it.
    """
    newest = len(migrations())
    if version < newest:
        raise SchemaOutdatedError(
            f"{where} has migration {version}, this graph_memory needs {newest}: run `graph-memory migrate URL` with its url"
        )
    if version > newest:
        raise SchemaOutdatedError(
            f"{where} has migration {version}, this graph_memory knows {newest}: install a newer graph_memory"
        )


def _folder() -> Path:
    """Beside the modules where the package is installed, at the top of the repository where it is edited."""
    package = Path(__file__).parent
    return next((f for f in (package / "sql", package.parent / "sql") if f.is_dir()), package / "sql")
