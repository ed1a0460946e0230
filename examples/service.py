"""A web service: one store, one graph, many users at once; each gets to their own memory and to nobody else's.

    pip install fastapi uvicorn
    python examples/service.py                       (three users talk to it at once, in this process)
    uvicorn service:app --app-dir examples           (serves it; memory in service.db, or where GRAPH_MEMORY_URL says)

Who asks is what the token says, never what the request's body says. The extractive reader answers, so that this runs without a
key; a model in its place is `lambda state: {"messages": [init_chat_model("openai:gpt-4o-mini").invoke(state["messages"])]}`.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any
from urllib.parse import quote

import httpx
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel, ConfigDict, Field

from graph_memory import (
    BufferMemory,
    MemoryState,
    Scope,
    VectorMemory,
    aforget,
    asearch,
    attach,
    extractive_node,
    open_memory,
)

TOKENS = {"token-of-ada": "ada", "token-of-ben": "ben", "token-of-cleo": "cleo"}
"""Who is signed in with which token. Yours come from your identity provider, and are verified by its library."""


class Said(BaseModel):
    """What a user says. There is no field for a user, and one that is sent all the same is refused."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=20_000)
    thread: str = Field(default="main", min_length=1, max_length=200)


def signed_in(credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> str:
    """The user's id, by their token."""
    user = TOKENS.get(credentials.credentials)
    if user is None:
        raise HTTPException(401, "this token is nobody's: sign in again")
    return user


User = Annotated[str, Depends(signed_in)]


def config_of(user: str, thread: str) -> dict[str, Any]:
    """Whose memory and which thread. A checkpointer knows no users, so a thread's id begins with whose it is."""
    return {"configurable": {"user_id": user, "thread_id": f"{quote(user, safe='')}/{thread}"}}


def build() -> StateGraph[Any, Any, Any, Any]:
    """The graph, for all users. Only what people say is searched: the reader would quote its own quotes; a model would not."""
    builder = StateGraph(MemoryState)
    builder.add_node("assistant", extractive_node())
    builder.add_edge(START, "assistant")
    builder.add_edge("assistant", END)
    memories = [BufferMemory(weight=0.5), VectorMemory(weight=0.5, roles=("human",))]
    attach(builder, "assistant", memories, budget_tokens=2000)
    return builder


def service(url: str) -> FastAPI:
    """The application over the memory at `url`, which is open for as long as it runs."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_memory(url) as memory:
            app.state.memory = memory
            app.state.graph = build().compile(store=memory.store, checkpointer=memory.checkpointer)
            yield

    app = FastAPI(title="graph_memory", lifespan=lifespan)

    @app.post("/chat")
    async def chat(said: Said, user: User, request: Request) -> dict[str, Any]:
        """Answers, and says of how many tokens the context was."""
        config = config_of(user, said.thread)
        result = await request.app.state.graph.ainvoke({"messages": [("user", said.text)]}, config)
        return {"answer": result["messages"][-1].text, "tokens": dict(result["memory_context"].tokens)}

    @app.post("/chat/stream")
    async def stream(said: Said, user: User, request: Request) -> StreamingResponse:
        """The same as server-sent events: "memory" says what was recalled, "token" is the answer, piece by piece."""
        graph, config = request.app.state.graph, config_of(user, said.thread)

        async def events() -> AsyncIterator[str]:
            given = {"messages": [("user", said.text)]}
            async for mode, part in graph.astream(given, config, stream_mode=["custom", "messages"]):
                name, data = ("token", part[0].text) if mode == "messages" else ("memory", part["graph_memory"])
                yield f"event: {name}\ndata: {json.dumps(data)}\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    @app.get("/memory")
    async def find(query: str, user: User, request: Request) -> list[str]:
        """What is remembered of the one who asks."""
        found = await asearch(Scope(user_id=user), query, store=request.app.state.memory.store)
        return [hit.memo.text for hit in found]

    @app.delete("/memory")
    async def forget(user: User, request: Request) -> dict[str, int]:
        """Deletes everything of the one who asks, threads included."""
        memory = request.app.state.memory
        return {"deleted": await aforget(memory.store, user, checkpointer=memory.checkpointer)}

    return app


app = service(os.environ.get("GRAPH_MEMORY_URL", "sqlite:///service.db"))


async def main() -> None:
    """Three users at once, over the application itself in place of a network."""
    app = service("sqlite://")
    transport = httpx.ASGITransport(app=app)
    towns = {"ada": "Ghent", "ben": "Porto", "cleo": "Turin"}

    async def talk(user: str) -> str:
        headers = {"Authorization": f"Bearer token-of-{user}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers) as client:
            await client.post("/chat", json={"text": f"My sister lives in {towns[user]}.", "thread": "monday"})
            asked = await client.post("/chat", json={"text": "Where does my sister live?", "thread": "friday"})
            forged = await client.post("/chat", json={"text": "Hello", "user_id": "ada"})
            gone = await client.delete("/memory")
            left = await client.get("/memory", params={"query": "sister"})
        return (
            f"{user} is told: {asked.json()['answer']}\n"
            f"{user} names another user: {forged.status_code}; forgets {gone.json()['deleted']} items; finds then {left.json()}"
        )

    async with app.router.lifespan_context(app):
        for told in await asyncio.gather(*map(talk, towns)):
            print(told)


if __name__ == "__main__":
    asyncio.run(main())
