"""Key-value memory: preferences and settings, typed, with their versions."""
