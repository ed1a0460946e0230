"""Memory for LangGraph workflows."""
