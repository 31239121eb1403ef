"""Latencies on devices that are not here: predicted from the tables that a latency database holds of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from latency_db.contents import described
from latency_db.reader import StoredDevice
from latency_db.store import LatencyStore
from predictors.calibration import DEFAULT_LEVEL
from predictors.predictor import LatencyPredictor
from predictors.stored import stored_predictor
from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.errors import UserError

ALIKE = ("precision", "batch", "deployment")
"""What of a device's fingerprint is as here where only its processor was named."""


def predictor_of_other(
    db: Path,
    name: str,
    here: Mapping[str, str],
    level: float = DEFAULT_LEVEL,
    *,
    watch: Watch = SILENT,
) -> LatencyPredictor:
    """The predictor of the device that ``name`` names in ``db``, trained from all that ``db`` holds of it.

    A name is a digest, or words of the processor's name: ``nvidia-h200``. Then networks run there in the
    precision, in batches and deployed as on this device, whose fingerprint is ``here``. Bounds hold for a
    share of ``level`` of networks.

    Raises:
        UserError: no stored device is meant, or several are.
    """
    with LatencyStore(db) as store:
        held = [stored for stored in store.devices() if stored.genomes]
        meant = [stored for stored in held if _is_meant(name, stored, here)]
        if len(meant) != 1:
            known = "; ".join(
                f"{stored.digest} ({described(stored.fingerprint)})" for stored in meant or held
            )
            raise UserError(
                f"expected --max-ms {name}= to mean one device in {db}, with "
                f"{', '.join(f'{key} {here.get(key)}' for key in ALIKE)} as this one, but it means "
                f"{len(meant)} of those held: {known or 'none'}; "
                "give the digest of one, or merge in its tables by `tvnsearch db merge`"
            )
        return stored_predictor(store, meant[0].digest, watch.say, level)


def _is_meant(name: str, stored: StoredDevice, here: Mapping[str, str]) -> bool:
    if name == stored.digest:
        return True
    runs_alike = all(stored.fingerprint.get(key) == here.get(key) for key in ALIKE)
    return runs_alike and _words(name) <= _words(stored.fingerprint.get("processor", ""))


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", text.lower()))
