"""The command line: it parses, calls :mod:`tvnsearch.api`, and prints."""
