"""The command line: reads arguments, calls experiments and report, prints.

Importing torch takes seconds, so everything that needs it is imported where it is used.
"""

from hypermnesia.cli.main import main

__all__ = ["main"]
