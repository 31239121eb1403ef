"""Latency databases: what they hold, and their upkeep."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from latency_db.contents import Contents, Holding, contents, described, file_bytes
from latency_db.merge import Added, Merged, merge
from latency_db.packed import SUFFIX, Header, pack, predictor_beside
from latency_db.remove import device_to_remove, remove, session_to_remove
from latency_db.store import LatencyStore
from latency_db.verify import Verification, verify
from predictors.stored import stored_predictor
from tvnsearch.api.genomes import listed
from tvnsearch.api.latency_predictors import database_path
from tvnsearch.api.watching import SILENT, Watch, counting
from tvnsearch.errors import UserError


class MergedFile(Merged, frozen=True, kw_only=True):
    """What was added from ``file``."""

    file: str


class Packed(Struct, frozen=True):
    """The packed ``table``, its size and what it says of itself, and the file of its ``predictor``."""

    table: str
    predictor: str
    bytes: int
    header: Header


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
    """Add to ``into`` what other database files, or packed tables, hold and it lacks; what of each, in order.

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


def pack_database(
    out: str | Path,
    *,
    digest: str | None = None,
    licence: str | None = None,
    db: str | Path | None = None,
    watch: Watch = SILENT,
) -> Packed:
    """Write what a database holds of a device to the file ``out``, to hand on, and its predictor beside it.

    The device is that of ``digest``, or the only one. ``merge_databases`` takes such a file like a database.

    Raises:
        UserError: there is no such database or device, ``out`` has another suffix or cannot be written, or
            the device was profiled too little for a predictor.
    """
    path, target = database_path(db), Path(out)
    if not target.name.endswith(SUFFIX):
        raise UserError(f"expected a file that ends in {SUFFIX} to pack into, but got {out}; correct --out")
    held = [holding for holding in contents(path).devices if holding.genomes]
    if digest is None and len(held) != 1:
        listed = ", ".join(holding.device for holding in held) or "none"
        raise UserError(
            f"expected --digest, for {path} holds {len(held)} devices ({listed}); `tvnsearch db list` tells "
            "more of them"
        )
    meant = held[0].device if digest is None else digest
    with LatencyStore(path) as store:
        predictor = stored_predictor(store, meant, watch.say)
    header = pack(
        path,
        meant,
        target,
        f"tvnsearch {version('tvnsearch')}",
        licence,
        asdict(predictor.heldout),
        counting(watch, f"pack {target.name}", "networks"),
    )
    beside = predictor_beside(target)
    predictor.save(beside)
    return Packed(str(target), str(beside), target.stat().st_size, header)


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
