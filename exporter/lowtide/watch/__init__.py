"""Floor 5: the findings of another process, in a terminal."""
