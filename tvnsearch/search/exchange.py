"""Where workers leave weights and checkpoints: in the folder of the run, or in one that all machines see.

A run may lie on a disk of the driver alone, where its journal is fast and safe. Then a folder in one that is
shared is laid out as that of a run: workers write there, and what they have trained is copied into the run,
whole, before the journal says so.
"""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tvnsearch.errors import UserError
from tvnsearch.files import copy_whole, write_whole, writing
from tvnsearch.search.run_folder import UNFINISHED, exchange_note
from tvnsearch.workers import EnvironmentFailedError

OWNER = "run.txt"
"""The file in such a folder that says which run it is of."""


class Exchange(NamedTuple):
    """A ``run``, and the ``folder`` that workers write to, which may be the run's own."""

    run: Path
    folder: Path

    @property
    def lent_folder(self) -> Path | None:
        """Where copies are of what workers are to read, if they cannot see the run."""
        return None if self.folder == self.run else self.folder / "lent"

    def lent(self, weights: Path) -> Path:
        """Where workers find a file of the run.

        Raises:
            EnvironmentFailedError: it cannot be copied to where they would.
        """
        if self.lent_folder is None or not weights.is_file():
            return weights
        place = self.lent_folder / weights.relative_to(self.run)
        _copy(weights, place)
        return place

    def bring_home(self, weights: Path) -> None:
        """Have in the run, at the same place, what a worker has written; it is there on the disk then.

        Raises:
            EnvironmentFailedError: it cannot be copied there.
        """
        if self.folder != self.run:
            _copy(weights, self.run / weights.relative_to(self.folder))
            with suppress(OSError):
                weights.unlink()


def open_exchange(run: Path, shared: str | None) -> Exchange:
    """The exchange of a run, in a folder of its own in ``shared``, or in the run's without that.

    What unfinished trainings have left where it was before, be it in the run or elsewhere, is moved there.
    The copy of a run gets another exchange than the run.

    Raises:
        UserError: it cannot be made, or is not there any more.
    """
    known = _known(run)
    if shared is None:
        folder = run
    elif known != run and known.parent == Path(shared).resolve() and not known.is_dir():
        raise UserError(
            f"expected what the run {run} has half trained in {known}, but that is not there; mount it, or "
            "give another folder by --shared, and it begins afresh"
        )
    elif known.parent == Path(shared).resolve() and _is_of(known, run):
        folder = known
    else:
        folder = _made(Path(shared).resolve(), run)
    if folder != known:
        with writing(folder, "or give another folder by --shared"):
            _move_unfinished(known, folder, run)
    return Exchange(run, folder)


def _known(run: Path) -> Path:
    """Where the exchange was when the run was last written."""
    note = exchange_note(run)
    return Path(os.fsdecode(note.read_bytes())) if note.is_file() else run


def _is_of(folder: Path, run: Path) -> bool:
    owner = folder / OWNER
    return owner.is_file() and owner.read_bytes() == os.fsencode(run.resolve())


def _made(shared: Path, run: Path) -> Path:
    folder = shared / f"{run.resolve().name}-{secrets.token_hex(4)}"
    with writing(shared, "or give another folder by --shared"):
        write_whole(folder / OWNER, os.fsencode(run.resolve()))
        (folder / "weights").mkdir()
    return folder


def _move_unfinished(before: Path, now: Path, run: Path) -> None:
    """Copied first, and noted, then deleted: a kill at any moment leaves one that can be gone on with."""
    for name in UNFINISHED:
        if (before / name).is_dir():
            shutil.copytree(before / name, now / name, dirs_exist_ok=True)
    if now == run:
        exchange_note(run).unlink()
    else:
        write_whole(exchange_note(run), os.fsencode(now))
    if before == run:
        for name in UNFINISHED:
            shutil.rmtree(before / name, ignore_errors=True)
    elif _is_of(before, run):
        shutil.rmtree(before, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    try:
        copy_whole(source, target)
    except OSError as error:
        raise EnvironmentFailedError(f"{source} could not be copied to {target}: {error}") from None
