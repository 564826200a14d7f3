"""Floor 2: from records to verdicts, without input or output."""
