"""What LangGraph Studio shows: graphs of the public API, compiled without store or checkpointer, which the server brings."""
