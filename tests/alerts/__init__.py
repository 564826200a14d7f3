"""The alert rules: each alert fires, and its look-alikes do not."""
