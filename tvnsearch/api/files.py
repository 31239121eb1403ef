"""Files that the user asked for."""

from __future__ import annotations

from pathlib import Path

from tvnsearch.errors import UserError


def write_text(path: str | Path, text: str) -> None:
    """Write a file that the user named.

    Raises:
        UserError: it cannot be written.
    """
    try:
        Path(path).write_text(text)
    except OSError as error:
        raise UserError(
            f"expected a file that can be written, got {path} ({error.strerror}); choose another place"
        ) from None
