"""The debug page from outside: over HTTP, and in a real browser. One browser and one leaking service serve all."""
