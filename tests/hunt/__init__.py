"""Tests of what is done before production, and the services that they hunt in."""
