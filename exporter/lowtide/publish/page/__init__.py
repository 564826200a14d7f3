"""The debug page: what a process knows of its tasks, for a person who opens one link."""
