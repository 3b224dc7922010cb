"""Tests of the project; a package, so that one that others have installed under this name is never taken for it."""
