"""`python -m hypermnesia` is the command line."""

from hypermnesia.cli import main

main()
