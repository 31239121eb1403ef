"""Latency databases: what they hold, and their upkeep."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from latency_db.contents import Contents, Holding, contents, described, file_bytes
from latency_db.merge import Added, Merged, merge
from latency_db.remove import device_to_remove, remove, session_to_remove
from latency_db.verify import Verification, verify
from tvnsearch.api.genomes import listed
from tvnsearch.api.latency_predictors import database_path
from tvnsearch.api.watching import SILENT, Watch, counting
from tvnsearch.errors import UserError


class MergedFile(Merged, frozen=True, kw_only=True):
    """What was added from ``file``."""

    file: str


class Removal(Struct, frozen=True):
    """What was removed, or would be, and the size of the file before and after."""

    removed: bool
    holding: Holding
    bytes_before: int
    bytes: int


def database_contents(db: str | Path | None = None) -> Contents:
    """What a latency database holds of each device, and in each session.

    Raises:
        UserError: there is no such file, or it is no latency database of this version.
    """
    return contents(database_path(db))


def merge_databases(
    others: str | Path | Sequence[str | Path], into: str | Path | None = None, *, watch: Watch = SILENT
) -> list[MergedFile]:
    """Add to ``into`` what other database files hold and it lacks; what of each, in their order.

    Killed and called again, it goes on.

    Raises:
        UserError: a file cannot be used, or a record in it is not sound; those before it are added.
    """
    path = database_path(into)
    merged = []
    files: Sequence[str | Path] = listed(others)
    for other in map(Path, files):
        added = merge(other, path, counting(watch, f"merge {other.name}", "networks"))
        merged.append(MergedFile(**asdict(added), file=str(other)))
        for one in added.devices:
            watch.say(f"{other}: {_sentence(one)}")
        if added.tables:
            watch.say(f"{other}: imported tables added: {', '.join(added.tables)}")
    return merged


def _sentence(added: Added) -> str:
    return (
        f"{added.genomes} networks with {added.rows} layer rows and {added.measurements} measurements added "
        f"of {added.device} ({described(added.fingerprint)})"
    )


def verify_database(db: str | Path | None = None, *, watch: Watch = SILENT) -> Verification:
    """Check a whole database: SQLite's integrity, and every record against what its network executes.

    Raises:
        UserError: there is no such file, or it is no latency database of this version.
    """
    return verify(database_path(db), counting(watch, "verify", "networks"))


def remove_from_database(
    *,
    digest: str | None = None,
    session: int | None = None,
    confirmed: bool = False,
    db: str | Path | None = None,
) -> Removal:
    """Remove the device of that ``digest``, or a ``session``, with all its records; only if ``confirmed``.

    Raises:
        UserError: there is no such database, device or session, or not one of both was named.
    """
    path = database_path(db)
    held = contents(path)
    if digest is not None and session is None:
        holding = device_to_remove(held, digest)
    elif session is not None and digest is None:
        holding = session_to_remove(held, session)
    else:
        came = "neither" if digest is None else "both"
        raise UserError(
            f"expected either --digest or --session, but {came} came; "
            f"`tvnsearch db list --sessions` shows them"
        )
    if confirmed:
        remove(path, holding)
    return Removal(confirmed, holding, held.bytes, file_bytes(path))
