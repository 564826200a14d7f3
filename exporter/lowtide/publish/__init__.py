"""Floor 3: verdicts to the world."""
