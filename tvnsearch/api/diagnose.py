"""What a machine is, how noisy it is right now, what is installed, and what to change."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from latency_db.store import LatencyStore
from tvnsearch.api.latency_predictors import database_path, require_database
from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.control_groups import Container
from tvnsearch.devices.container import why_doubtful
from tvnsearch.devices.core_lock import LockState
from tvnsearch.devices.device import Device, as_device
from tvnsearch.devices.diagnosis import Noise, advice, measure_noise
from tvnsearch.devices.meter import Meter
from tvnsearch.devices.surroundings import surroundings_of
from tvnsearch.errors import UserError
from tvnsearch.genome.scaling import scaled
from tvnsearch.genome.zoo import load_zoo

TRIAL_NETWORK, TRIAL_RESOLUTION = "tvn-m-2", 0.5
"""About 20 ms on one core of a server: long enough for the clocks, short enough for many passes."""


class Diagnosis(Struct, frozen=True):
    """A device's digest and fingerprint, its noise, what runs here, and a sentence for all that is to mend.

    ``noise_floor_percent`` is how far one network differs when it is measured again (median); ``extras`` says
    of each extra of the installation whether it is there. ``locks`` are those of the cores, or the GPU, that
    are timed, as they stood at the beginning; ``container`` is as it stood at the end.
    """

    device: str
    fingerprint: dict[str, str]
    noise_floor_percent: float
    noise: Noise
    container: Container
    locks: list[LockState]
    backends: list[str]
    extras: dict[str, bool]
    advice: list[str]


def diagnose(
    device: str | Device = "cpu",
    *,
    seconds: float = 30.0,
    db: str | Path | None = None,
    watch: Watch = SILENT,
) -> Diagnosis:
    """Look at ``device``, measure its noise for ``seconds``, and see whether ``db`` knows its latencies.

    Raises:
        UserError: there is no such device, or it cannot be reached.
    """
    opened = as_device(device)
    before = surroundings_of(opened)
    noise = _noise(opened, seconds, watch)
    after = surroundings_of(opened)
    with Meter(opened) as meter:
        fingerprint, digest = meter.fingerprint, meter.digest
    return Diagnosis(
        device=digest,
        fingerprint=fingerprint,
        noise_floor_percent=noise.noise_floor_percent,
        noise=noise,
        container=after.container,
        locks=before.locks,
        backends=after.backends,
        extras=after.extras,
        advice=[
            *advice(fingerprint, noise, why_doubtful(before.container, after.container, opened)),
            *_missing_latencies(db, opened.words, digest),
        ],
    )


def _noise(device: Device, seconds: float, watch: Watch) -> Noise:
    network = scaled(load_zoo(TRIAL_NETWORK), resolution=TRIAL_RESOLUTION)
    watch.progress("measure noise", 0.0, "")
    return measure_noise(device, network, seconds, lambda share: watch.progress("measure noise", share, ""))


def _missing_latencies(db: str | Path | None, device: str, digest: str) -> list[str]:
    """A sentence where the latency database cannot tell how fast networks are here."""
    try:
        path = database_path(db)
        require_database(path, device)
        with LatencyStore(path) as store:
            store.device(digest)
    except UserError as error:
        return [f"latencies cannot be predicted yet: {error}"]
    return []
