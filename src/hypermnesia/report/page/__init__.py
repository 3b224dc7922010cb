"""The report: one page that needs nothing else, made of sections."""
