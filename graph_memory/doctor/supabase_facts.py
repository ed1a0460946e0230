"""What a Supabase project, its key and its token say, and what that means for memory. Pure."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from graph_memory.doctor.findings import Finding
from graph_memory.namespaces import label

Stands = Literal["anon", "service", "user", "unknown"]
_LATEST = 250_000_000_000  # unix seconds that a date can still hold, in the year 9892
_ROLES: dict[str, Stands] = {"service_role": "service", "anon": "anon", "authenticated": "user"}
_PREFIXES: dict[str, Stands] = {"sb_secret_": "service", "sb_publishable_": "anon"}
_TOKEN = "give the signed-in user's token (GRAPH_MEMORY_SUPABASE_TOKEN) and the publishable key"
_MIGRATE = "graph-memory migrate URL, with the url of the project's Postgres"
_CATALOGUE = "graph-memory doctor URL, with the url of the project's Postgres, looks at every table"


@dataclass(frozen=True, slots=True)
class Principal:
    """Whom a key or a token stands for, by what it says of itself, whoever signed it.

    Attributes:
        stands: for whom.
        user: the claim `sub`.
        expires_at: unix seconds; None where it does not say.
    """

    stands: Stands
    user: str | None = None
    expires_at: float | None = None

    @classmethod
    def of(cls, text: str) -> Principal:
        """That of a key or a token."""
        for prefix, stands in _PREFIXES.items():
            if text.startswith(prefix):
                return cls(stands)
        claims = _claims(text)
        user, expires_at = claims.get("sub"), claims.get("exp")
        return cls(
            _ROLES.get(str(claims.get("role")), "unknown"),
            user if isinstance(user, str) and user else None,
            expires_at if isinstance(expires_at, int | float) and abs(expires_at) < _LATEST else None,
        )


@dataclass(frozen=True, slots=True)
class Trial:
    """What was tried as the signed-in user.

    Attributes:
        owners: whose namespaces they see: the owner labels.
        wrote: whether they could write another user's memory.
        is_open: whether the publishable key alone may call functions.
    """

    owners: Sequence[str]
    wrote: bool
    is_open: bool


def judged_key(key: Principal, token: Principal | None, now: float) -> list[Finding]:
    """What key and token mean; `now` is in unix seconds."""
    found = []
    if key.stands == "service":
        says = "the key is a service key, which stands above row-level security"
        found.append(Finding("warn", "key", f"{says}: every user's memory is seen" if token is None else says, _TOKEN))
    else:
        found.append(
            Finding("ok", "key", "publishable" if key.stands == "anon" else "of a kind that is not known here")
        )
    if token is None:
        return found
    if token.stands == "service":
        says = "a service key stands where a user's token belongs: every user's memory is seen"
        return [*found, Finding("warn", "token", says, _TOKEN)]
    if token.user is None:
        return [*found, Finding("fail", "token", "it names no user (claim sub), so nothing is seen", _TOKEN)]
    return [*found, Finding("ok", "token", f"of the user {token.user}, {_until(token.expires_at, now)}")]


def judged_project(version: int, dims: int | None, newest: int) -> list[Finding]:
    """What the project itself says; `newest` is the migration that this version needs."""
    if version < newest:
        says = f"{newest - version} of {newest} migrations are missing"
        found = [Finding("fail", "migrations", says, _MIGRATE)]
    elif version > newest:
        says = f"a newer graph_memory has applied migration {version}, this one knows {newest}"
        found = [Finding("fail", "migrations", says, "pip install -U graph-memory")]
    else:
        found = [Finding("ok", "migrations", f"all {newest} are applied")]
    if dims is None:
        says = "no size of vectors is chosen: there is no HNSW index"
        return [*found, Finding("ok", "store", says, f"{_MIGRATE} and --dims N")]
    return [*found, Finding("ok", "store", f"vectors have {dims} dimensions")]


def judged_trial(user: str, trial: Trial) -> list[Finding]:
    """What was tried as a user means."""
    mend = f"{_MIGRATE}; {_CATALOGUE}"
    others = [one for one in trial.owners if one != label("user", user)]
    if others:
        return [Finding("fail", "tried", f"the token's user sees memory of {len(others)} others", mend)]
    if trial.wrote:
        return [Finding("fail", "tried", "the token's user could write another user's memory", mend)]
    if trial.is_open:
        says = "whoever has the publishable key may call the functions without signing in"
        return [Finding("fail", "tried", says, "SELECT graph_memory.seal(), as the owner of the schema")]
    return [
        Finding("ok", "tried", "the token's user sees their own memory alone and cannot write another's", _CATALOGUE)
    ]


def untried() -> Finding:
    """Row-level security cannot be tried as one whom it does not bind."""
    return Finding(
        "warn", "tried", "row-level security was not tried: there is no user's token", f"{_TOKEN}; or {_CATALOGUE}"
    )


def _until(expires_at: float | None, now: float) -> str:
    if expires_at is None:
        return "without an end"
    if expires_at <= now:
        return "expired"
    return f"valid until {datetime.fromtimestamp(expires_at, UTC):%Y-%m-%d %H:%M} UTC"


def _claims(token: str) -> dict[str, Any]:
    try:
        body = token.split(".")[1]
        claims = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}
