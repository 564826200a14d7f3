"""Tests of the proof: what it proves, and what it must not."""
