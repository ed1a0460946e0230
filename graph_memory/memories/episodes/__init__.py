"""Episodes: finished sessions as memos of their own; a part of vector memory."""
