"""Files that the user asked for."""

from __future__ import annotations

from pathlib import Path

from tvnsearch.files import check_place, write_whole, writing


def check_text_place(path: str | Path) -> None:
    """Find out before long work whether :func:`write_text` could write to ``path``, as far as that shows.

    Raises:
        UserError: it could not.
    """
    path = Path(path)
    with writing(path):
        path.parent.stat()  # a folder whose name is misspelt is not made
        if not path.exists() or path.is_file() or path.is_dir():
            check_place(path)


def write_text(path: str | Path, text: str) -> None:
    """Write a file that the user named.

    Raises:
        UserError: it cannot be written.
    """
    path = Path(path)
    with writing(path, "or choose another place"):
        if path.is_file() or (path.parent.is_dir() and not path.exists()):
            write_whole(path, text.encode())
        else:  # a pipe or a terminal; or what cannot be written, as a folder whose name is misspelt
            path.write_text(text, encoding="utf-8")
