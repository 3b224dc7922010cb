"""Checks of types at run time; whole numbers are taken for numbers, as Python's own typing does (PEP 484)."""

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
