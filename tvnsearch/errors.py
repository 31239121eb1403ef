"""The one error that is a person's to mend."""

from __future__ import annotations


class UserError(Exception):
    """A mistake in what the user gave: one sentence saying what was expected, what came, what to do next.

    The command line prints it without a traceback and exits with code 2.
    """
