"""Files that the user asked for."""

from __future__ import annotations

from pathlib import Path

from tvnsearch.files import write_whole, writing


def write_text(path: str | Path, text: str) -> None:
    """Write a file that the user named.

    Raises:
        UserError: it cannot be written.
    """
    path = Path(path)
    with writing(path, "choose another place"):
        if path.exists() and not path.is_file():  # a pipe, or a terminal
            path.write_text(text)
        else:
            write_whole(path, text.encode())
