"""Programs that leak, their fixed twins, and healthy ones that only look stuck."""
