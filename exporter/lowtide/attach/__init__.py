"""Floor 4: into other people's programs."""
