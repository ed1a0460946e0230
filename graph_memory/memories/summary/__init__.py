"""Summary memory: a running summary of what left the window, and all that makes one."""
