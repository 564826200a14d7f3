"""Floor 1: what hooks and callbacks write down."""
