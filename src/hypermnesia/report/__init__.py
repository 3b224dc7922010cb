"""Figures of runs for people: lines and tables on a terminal, tables of methods, and the report as a page."""
