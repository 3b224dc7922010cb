"""A run, and many, as lines and tables on a terminal."""
