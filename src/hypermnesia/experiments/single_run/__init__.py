"""One run: carried out in its directory, from the beginning or from where it was interrupted."""
