"""Experiments: their settings, where these come from, and what is built from them."""
