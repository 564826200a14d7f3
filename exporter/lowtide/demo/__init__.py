"""Floor 5: a promo service that leaks, and its traffic."""
