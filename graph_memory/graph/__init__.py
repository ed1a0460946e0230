"""Memories in a LangGraph graph: state, nodes, the orchestrator subgraph, and `attach`."""
