"""Latencies on devices that are not here: predicted from the tables that a latency database holds of them."""

from __future__ import annotations

import re
from pathlib import Path

from latency_db.contents import described
from latency_db.store import LatencyStore, StoredDevice
from predictors.predictor import LatencyPredictor, predictor_path
from tvnsearch.devices.device import Device
from tvnsearch.errors import UserError


def predictor_elsewhere(db: Path, name: str, device: Device) -> LatencyPredictor:
    """The predictor of the device that ``name`` names in ``db``; fitted to its tables if it never was.

    A name is a digest, or words of the processor's name: ``nvidia-h200``. Networks run there in the dtype and
    in batches as on ``device``.

    Raises:
        UserError: no stored device is meant, or several are.
    """
    with LatencyStore(db) as store:
        held = [stored for stored in store.devices() if stored.genomes]
        meant = [stored for stored in held if _is_meant(name, stored, device)]
        if len(meant) != 1:
            known = "; ".join(
                f"{stored.digest} ({described(stored.fingerprint)})" for stored in meant or held
            )
            raise UserError(
                f"expected --max-ms {name}= to mean one device in {db}, in {device.dtype} and batches of "
                f"{device.batch} as this one, but it means {len(meant)} of those held: {known or 'none'}; "
                "give the digest of one, or merge in its tables by `tvnsearch db merge`"
            )
        digest = meant[0].digest
        path = predictor_path(db, digest)
        if not path.is_file():
            from predictors.fit import fit_from_store

            fit_from_store(store, digest).save(path)
    return LatencyPredictor.load(path)


def _is_meant(name: str, stored: StoredDevice, device: Device) -> bool:
    if name == stored.digest:
        return True
    fingerprint = stored.fingerprint
    runs_alike = (fingerprint.get("dtype"), fingerprint.get("batch")) == (device.dtype, str(device.batch))
    return runs_alike and _words(name) <= _words(fingerprint.get("processor", ""))


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", text.lower()))
