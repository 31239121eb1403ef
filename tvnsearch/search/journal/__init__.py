"""The journal of a run: the events of a search in one SQLite file, and the folder that it is in."""
