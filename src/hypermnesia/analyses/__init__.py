"""Why it works: one analysis a file, of one run or of runs made for it; all are listed in `registry.py`."""
