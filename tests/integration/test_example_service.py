"""examples/service.py: many users at once over one store, each with their own memory and nobody else's."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "service.py"
USERS = {f"user {number}": f"Town{number}" for number in range(8)}
Service = httpx.AsyncClient


@pytest.fixture(scope="module")
def example() -> ModuleType:
    """The module, with eight users more."""
    spec = importlib.util.spec_from_file_location("service_example", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.TOKENS.update({f"token-of-{user}": user for user in USERS})
    return module


@pytest.fixture
async def client(example: ModuleType, tmp_path: Path) -> AsyncIterator[Service]:
    """Of the service over a file, while it runs."""
    app = example.service(f"sqlite:///{tmp_path / 'service.db'}")
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://service") as opened,
    ):
        yield opened


def as_(user: str) -> dict[str, str]:
    """The header of one who is signed in."""
    return {"Authorization": f"Bearer token-of-{user}"}


async def say(client: Service, user: str, text: str, **more: Any) -> Any:
    """One turn's answer."""
    answered = await client.post("/chat", headers=as_(user), json={"text": text, **more})
    assert answered.status_code == 200, answered.text
    return answered.json()


async def test_users_at_once_are_told_what_they_said_alone(client: Service) -> None:
    """In threads of one name, too."""
    await asyncio.gather(*(say(client, user, f"My sister lives in {town}.") for user, town in USERS.items()))
    asked = await asyncio.gather(*(say(client, user, "Where does my sister live?") for user in USERS))
    elsewhere = await asyncio.gather(*(say(client, user, "Where does my sister live?", thread="b") for user in USERS))

    for town, answers in zip(USERS.values(), zip(asked, elsewhere, strict=True), strict=True):
        for answer in answers:
            assert [other for other in USERS.values() if other in answer["answer"]] == [town]
    assert all(answer["tokens"]["vector"] > 0 for answer in elsewhere)


async def test_who_is_not_signed_in_is_refused(client: Service) -> None:
    """Without a token, and with one that is nobody's."""
    assert (await client.post("/chat", json={"text": "hi"})).status_code == 401
    assert (await client.get("/memory?query=x", headers={"Authorization": "Bearer forged"})).status_code == 401
    assert (await client.delete("/memory", headers={"Authorization": "Basic ada"})).status_code == 401


@pytest.mark.parametrize("forged", [{"user_id": "ada"}, {"config": {"configurable": {"user_id": "ada"}}}])
async def test_a_forged_user_is_refused(client: Service, forged: dict[str, Any]) -> None:
    """The body has no say in whose memory it is."""
    await say(client, "ada", "My sister lives in Ghent.")

    refused = await client.post("/chat", headers=as_("ben"), json={"text": "Where does my sister live?", **forged})

    assert refused.status_code == 422
    assert "Ghent" not in refused.text


@pytest.mark.parametrize("thread", ["ada/main", "../ada/main", "main", "/ada/main"])
async def test_a_forged_thread_leads_to_ones_own(client: Service, thread: str) -> None:
    """Whatever it is called, it is not another's."""
    await say(client, "ada", "My sister lives in Ghent.")

    answer = await say(client, "ben", "Where does my sister live?", thread=thread)

    assert "Ghent" not in answer["answer"]
    found = (await client.get("/memory?query=sister+Ghent&user_id=ada", headers=as_("ben"))).json()
    assert found == ["Where does my sister live?"]


async def test_the_answer_streams_with_what_memory_did(client: Service) -> None:
    """Server-sent events: what was recalled comes before the answer."""
    await say(client, "ada", "My sister lives in Ghent.")
    body = {"text": "Where does my sister live?", "thread": "b"}
    async with client.stream("POST", "/chat/stream", headers=as_("ada"), json=body) as streamed:
        assert streamed.headers["content-type"].startswith("text/event-stream")
        parts = [part.split("\n") async for part in chunks(streamed)]

    events = [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in parts]
    told = [data["event"] for name, data in events if name == "memory"]
    assert told[:3] == ["recalled", "recalled", "assembled"]
    assert "Ghent" in "".join(data for name, data in events if name == "token")
    assert [name for name, _ in events].index("token") == 3


async def chunks(streamed: httpx.Response) -> AsyncIterator[str]:
    """The events as they are written."""
    text = "".join([part async for part in streamed.aiter_text()])
    for event in text.split("\n\n"):
        if event:
            yield event


async def test_forgetting_leaves_nothing_of_one_and_all_of_another(client: Service) -> None:
    """Threads go too: the next turn in one begins anew."""
    for user, town in (("ada", "Ghent"), ("ben", "Porto")):
        await say(client, user, f"My sister lives in {town}.")

    gone = await client.delete("/memory", headers=as_("ada"))

    assert gone.json()["deleted"] > 0
    assert (await client.get("/memory?query=sister", headers=as_("ada"))).json() == []
    assert "Ghent" not in (await say(client, "ada", "Where does my sister live?"))["answer"]
    assert "Porto" in (await say(client, "ben", "Where does my sister live?"))["answer"]
    assert (await client.delete("/memory", headers=as_("cleo"))).json() == {"deleted": 0}


async def test_it_remembers_when_it_is_started_again(example: ModuleType, tmp_path: Path) -> None:
    """The lifespan closes the file, and opens it the next time."""
    for text in ("My sister lives in Ghent.", "Where does my sister live?"):
        app = example.service(f"sqlite:///{tmp_path / 'service.db'}")
        transport = httpx.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://service") as client,
        ):
            answer = await say(client, "ada", text)

    assert "Ghent" in answer["answer"]
