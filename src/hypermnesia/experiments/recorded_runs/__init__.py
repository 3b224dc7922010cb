"""Runs as their directories tell them, and several of them taken together."""
