"""Folders of the user's own, also where the user has no home, as in many containers."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def or_temporary(folder: Path) -> Path:
    """``folder`` of the user's home, or a temporary one for this user where it cannot be made."""
    nearest = folder
    while not os.access(nearest, os.F_OK) and nearest != nearest.parent:
        nearest = nearest.parent
    if is_in_a_home(folder) and os.access(nearest, os.W_OK):
        return folder
    return Path(tempfile.gettempdir()) / f"tvnsearch-{os.getuid()}" / folder.name


def is_in_a_home(folder: Path) -> bool:
    """Whether ``folder`` has a place: of a user without a home it begins with ``~`` still."""
    return folder.is_absolute()
