"""Working memory: notes and steps of what is being worked on, in the thread or between agents."""
