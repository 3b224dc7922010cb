"""Why it works: one analysis a file, of a finished run or of many runs made for it."""
