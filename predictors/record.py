"""What a latency predictor is, as a file: JSON, with LightGBM's own text inside."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from predictors.calibration import Calibration
from predictors.call_table import FloatArray
from predictors.evaluation import HeldOutReport
from predictors.features import MODEL_COLUMNS, WORK_NAMES
from predictors.prior import RooflinePrior
from predictors.transfer import TransferredPrior
from tvnsearch.errors import UserError
from tvnsearch.files import write_whole

FORMAT = 7


def predictor_path(store_path: Path, digest: str) -> Path:
    """Where the predictor of a device is kept: beside the store that it was fitted from."""
    return store_path.with_name(f"{store_path.stem}.{digest}.predictor.json")


class SumCorrection(Struct, frozen=True):
    """From the sum of a network's layer latencies to the network's: ``exp(intercept) * sum_ms ** slope``."""

    intercept: float
    slope: float

    def apply(self, sums_ms: FloatArray) -> FloatArray:
        """Network latencies in ms."""
        corrected: FloatArray = np.exp(self.intercept + self.slope * np.log(sums_ms))
        return corrected


class PredictorRecord(Struct, frozen=True, forbid_unknown_fields=True):
    """All that a predictor is, as it is written to its file.

    ``heldout`` is its accuracy on networks that it did not learn from; their errors tell ``correction`` and
    ``calibration``. The same of the prior alone is beside each. ``rows_digest`` names the training rows.
    """

    format: int
    columns: tuple[str, ...]
    fingerprint: dict[str, str]
    versions: dict[str, str]
    seed: int
    rows: int
    rows_digest: str
    heldout: HeldOutReport
    heldout_prior: HeldOutReport
    correction: SumCorrection
    prior_correction: SumCorrection
    calibration: Calibration
    prior_calibration: Calibration
    prior: RooflinePrior | TransferredPrior
    model_digest: str
    model: str


def read_record(path: Path) -> PredictorRecord:
    """Read what :func:`write_record` wrote.

    Raises:
        UserError: there is none, the file is damaged, or it comes from a release with other features.
    """
    try:
        text = path.read_bytes()
        _require_this_release(msgspec.json.decode(text, type=_Release), path)
        record = msgspec.json.decode(text, type=PredictorRecord)
    except FileNotFoundError:
        raise UserError(
            f"expected a latency predictor at {path}, but there is none; run `tvnsearch profile` first"
        ) from None
    except OSError as error:
        raise UserError(
            f"expected a latency predictor at {path}, but it cannot be read ({error.strerror})"
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"expected a latency predictor at {path}, but it is not one ({error}); "
            f"run `tvnsearch fit` to write it anew"
        ) from None
    _require_sound(record, path)
    return record


def write_record(path: Path, record: PredictorRecord) -> None:
    """Write one JSON file, whole or not at all.

    Raises:
        UserError: it cannot be written.
    """
    try:
        write_whole(path, msgspec.json.format(msgspec.json.encode(record), indent=1))
    except OSError as error:
        raise UserError(
            f"expected to write the latency predictor {path}, but that failed ({error.strerror}); "
            f"make room for it, or choose another file with --db"
        ) from None


def text_digest(text: str) -> str:
    """Sixteen hex digits that change with the text."""
    return blake2b(text.encode(), digest_size=8).hexdigest()


def rows_digest(measured: Iterable[tuple[str, float]]) -> str:
    """Sixteen hex digits that name training rows, by identity and latency in ms of each of their networks.

    No other network has that identity, in whatever store it lies and in whatever order, and its rows never
    change.
    """
    return blake2b(msgspec.json.encode(sorted(measured)), digest_size=8).hexdigest()


class _Release(msgspec.Struct):
    """What tells of any predictor, of whatever release, who wrote it."""

    format: int
    columns: tuple[str, ...]
    versions: dict[str, str]


def _require_this_release(written: _Release, path: Path) -> None:
    if written.format != FORMAT or written.columns != MODEL_COLUMNS:
        raise UserError(
            f"expected a latency predictor of this release at {path}, but tvnsearch "
            f"{written.versions.get('tvnsearch', 'unknown')} fitted it with other features; "
            f"run `tvnsearch fit` to write it anew"
        )


def _require_sound(record: PredictorRecord, path: Path) -> None:
    origin = record.prior.origin if isinstance(record.prior, TransferredPrior) else None
    roofline = origin.prior if origin else record.prior
    assert isinstance(roofline, RooflinePrior)
    complete = all(len(rates) == len(WORK_NAMES) for rates in roofline.rates_ms.values())
    complete &= origin is None or text_digest(origin.model) == origin.model_digest
    complete &= all(
        len(known.predicted_ms) == len(known.log_errors) > 0
        for known in (record.calibration, record.prior_calibration)
    )
    if text_digest(record.model) != record.model_digest or not complete:
        raise UserError(
            f"expected a latency predictor at {path}, but it was damaged or edited after it was written; "
            f"run `tvnsearch fit` to write it anew"
        )
