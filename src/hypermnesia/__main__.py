"""The command `hypermnesia`, also as `python -m hypermnesia`: the command line, if what it needs is installed."""

from __future__ import annotations

import sys
from typing import NoReturn

from hypermnesia.extras import lacking, missing


def main() -> NoReturn:
    """Call the command line with the arguments of the process; exits with 2 where its packages are missing."""
    if lacks := missing("cli"):
        print(f"Error: {lacking('The command hypermnesia', 'cli', lacks)}", file=sys.stderr)
        sys.exit(2)
    from hypermnesia.cli import main as call

    call()


if __name__ == "__main__":
    main()
