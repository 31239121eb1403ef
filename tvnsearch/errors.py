"""The one error that is a person's to mend."""

from __future__ import annotations


class UserError(Exception):
    """A mistake in what the user gave: one sentence saying what was expected, what came, what to do next.

    The command line prints it without a traceback and exits with code 2.
    """


def in_one_line(error: BaseException) -> str:
    """What an error began with, by its kind and first line."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return ": ".join([type(error).__name__, *lines[:1]])
