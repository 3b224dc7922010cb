"""Sections of the report: functions from groups of runs to a part of the page, or None where there is nothing."""
