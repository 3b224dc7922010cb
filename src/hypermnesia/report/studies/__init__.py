"""Figures of many runs: on a terminal, as Markdown, LaTeX and CSV, with their pictures."""
