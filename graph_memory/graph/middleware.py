"""Memory for LangChain's `create_agent`: a middleware over the same desk, laws and lineage as `attach`.

Memory is recalled where the model is called, because only there the system prompt is known that counts against the budget, and
told when the agent is done. Retrieval is once a turn; each further call of a tool loop assembles what was retrieved anew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.messages import SystemMessage
from langgraph.config import get_config
from langgraph.types import Command

from graph_memory.context.workspaces import workspace_named
from graph_memory.errors import MissingExtraError
from graph_memory.graph.recalling import Desk, check_desk
from graph_memory.graph.recording import record_answers, record_sent
from graph_memory.graph.remembering import aremember, remember
from graph_memory.graph.state import ContextChannel, MemoryChannel
from graph_memory.graph.updating import after_recall
from graph_memory.memories.checking import checked
from graph_memory.memories.planning import Settings, counter_of
from graph_memory.messages import newest_human, state_messages, with_ids

try:
    from langchain.agents.middleware import AgentMiddleware, AgentState
    from langchain.agents.middleware.types import ExtendedModelResponse, ModelRequest, ModelResponse
except ImportError as exc:
    raise MissingExtraError("an agent's middleware", "agents") from exc

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from langgraph.runtime import Runtime
    from langgraph.store.base import BaseStore

    from graph_memory.context.complexity import ComplexityEstimator
    from graph_memory.context.workspaces import Workspace
    from graph_memory.memories.base import Memory
    from graph_memory.stats import Stats
    from graph_memory.types import Context, TokenCounter

Request = ModelRequest[Any]
Response = ModelResponse[Any]
Handler = Callable[[Request], Response]
AsyncHandler = Callable[[Request], Awaitable[Response]]


class MemoryAgentState(AgentState[Any]):
    """An agent's state with the two keys of memory."""

    memory: MemoryChannel
    memory_context: ContextChannel


class MemoryMiddleware(AgentMiddleware[MemoryAgentState, Any, Any]):
    """Gives an agent of `create_agent` memory: `create_agent(model, tools, middleware=[MemoryMiddleware(...)])`.

    The system prompt and the messages of each model call are replaced by the assembled context, never more than `budget_tokens`;
    the state keeps the thread's own messages. Put it after middleware that changes what the model shall see (it sees the request
    as they leave it), and before middleware that tries a call again or counts it.

    Args:
        memories: what to ask and to tell, each under its own name.
        budget_tokens: tokens of the system prompt and the messages that the model receives.
        reserve_tokens: tokens of the budget that are left free, such as for the tools' descriptions.
        node: the agent's name, which tells its memory from that of other agents with memory in one thread.
        counter, agent, store, workspace, estimator, stats: as in `attach`.

    Raises:
        ConfigurationError: no memories, two of one name, or a budget below the fixed overhead.
    """

    state_schema = MemoryAgentState

    def __init__(
        self,
        memories: Iterable[Memory],
        *,
        budget_tokens: int,
        reserve_tokens: int = 0,
        node: str = "model",
        counter: TokenCounter | None = None,
        agent: str | None = None,
        store: BaseStore | None = None,
        workspace: Workspace | str | None = None,
        estimator: ComplexityEstimator | None = None,
        stats: Stats | None = None,
    ) -> None:
        super().__init__()
        policy = workspace_named(workspace) if isinstance(workspace, str) else workspace
        settings = Settings(budget_tokens, reserve_tokens, counter_of(counter, policy), node, agent, policy, estimator)
        self.desk = Desk(checked(memories, settings), settings, "messages", store, stats)
        check_desk(self.desk)

    def wrap_model_call(self, request: Request, handler: Handler) -> Any:
        """Hands the model the assembled context.

        Raises:
            BudgetError: the system prompt, what is pinned and the newest human message exceed the budget.
        """
        state, current = self._asked(request)
        if not _is_conversation(state["messages"]):
            return handler(request)
        config = get_config()
        context = self.desk.again(current, state, config) if current else self.desk.recall(state, config)
        record_sent(self.desk, context, state["messages"], config)
        response = handler(_with_context(request, context))
        record_answers(self.desk, response.result, config)
        return response if current else self._with_update(response, context, request)

    async def awrap_model_call(self, request: Request, handler: AsyncHandler) -> Any:
        """`wrap_model_call`, awaiting the store, the models and the model call."""
        state, current = self._asked(request)
        if not _is_conversation(state["messages"]):
            return await handler(request)
        config = get_config()
        context = self.desk.again(current, state, config) if current else await self.desk.arecall(state, config)
        record_sent(self.desk, context, state["messages"], config)
        response = await handler(_with_context(request, context))
        record_answers(self.desk, response.result, config)
        return response if current else self._with_update(response, context, request)

    def after_agent(self, state: MemoryAgentState, runtime: Runtime[Any]) -> dict[str, Any] | None:
        """Tells the memories of the turn."""
        return remember(self.desk, state, get_config()) if _is_conversation(state_messages(state, "messages")) else None

    async def aafter_agent(self, state: MemoryAgentState, runtime: Runtime[Any]) -> dict[str, Any] | None:
        """`after_agent`, awaiting the store and the models."""
        if not _is_conversation(state_messages(state, "messages")):
            return None
        return await aremember(self.desk, state, get_config())

    def _asked(self, request: Request) -> tuple[dict[str, Any], Context | None]:
        """The state with the messages as the request has them, and the context of this turn, where there is one."""
        system = [] if request.system_message is None else [request.system_message]
        state = {**request.state, "messages": with_ids([*system, *request.messages])}
        return state, self.desk.current(state)

    def _with_update(self, response: Response, context: Context, request: Request) -> ExtendedModelResponse[Any]:
        """The response, with what the first call of a turn leaves in the state."""
        update = after_recall(self.desk, context, request.state, get_config())
        return ExtendedModelResponse(response, Command(update=update))


def _is_conversation(messages: Sequence[BaseMessage]) -> bool:
    """Whether anybody said anything that memory could be about."""
    return newest_human(messages) >= 0


def _with_context(request: Request, context: Context) -> Request:
    system = next((message for message in context.messages if isinstance(message, SystemMessage)), None)
    rest: list[Any] = [message for message in context.messages if message is not system]
    return request.override(system_message=system, messages=rest)
