"""Floor 4: before production."""
