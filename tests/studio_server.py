"""`langgraph dev` for tests: offline, on a free loopback port, with its detector of blocking calls on; stopped by its process.

Without `langgraph-cli[inmem]` tests are skipped, on CI they fail.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
CONFIG: Mapping[str, Any] = json.loads((ROOT / "langgraph.json").read_text(encoding="utf-8"))
START_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Studio:
    """A server that runs.

    Attributes:
        url: where it answers.
        log: what it says.
    """

    url: str
    log: Path

    def said(self) -> str:
        """What it said so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")


@contextmanager
def studio(folder: Path, config: Mapping[str, Any], **environment: str) -> Iterator[Studio]:
    """The server over a configuration whose paths are those of langgraph.json, at work in `folder`."""
    if find_spec("langgraph_api") is None or find_spec("langgraph_cli") is None:
        missing = "langgraph dev is not installed: pip install 'graph-memory[studio]'"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    (folder / "langgraph.json").write_text(json.dumps(_absolute(config)), encoding="utf-8")
    port, log = _free_port(), folder / "studio.log"
    command = [sys.executable, "-m", "langgraph_cli", "dev", "--no-browser", "--no-reload", "--n-jobs-per-worker", "20"]
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=folder,
            env={**_environment(), **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        found = Studio(f"http://127.0.0.1:{port}", log)
        _wait_until_it_answers(server, found)
        yield found
    finally:
        server.terminate()
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _absolute(config: Mapping[str, Any]) -> dict[str, Any]:
    def at_root(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: at_root(one) for key, one in value.items()}
        return str(ROOT / value[2:]) if isinstance(value, str) and value.startswith("./") else value

    return {**at_root(dict(config)), "dependencies": ["."]}


def _environment() -> dict[str, str]:
    """Ours without settings and keys of memory and models: nothing is sent anywhere, and the reader answers."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("GRAPH_MEMORY_", "LANGSMITH_", "LANGCHAIN_"))}
    path = os.pathsep.join([str(ROOT), *filter(None, [ours.get("PYTHONPATH")])])
    return {**ours, "PYTHONPATH": path, "LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGSMITH_TRACING": "false"}


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _wait_until_it_answers(server: subprocess.Popen[bytes], studio: Studio) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{studio.url}/ok", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"langgraph dev did not start:\n{studio.said()[-4000:]}")
