"""What two trainings with the same result may still differ in."""

from __future__ import annotations

import msgspec

from tvnsearch.training.trainer import TrainingResult

NO_TIME = {"seconds": 0.0, "fitting_seconds": 0.0, "stood_still_seconds": 0.0}


def without_times(result: TrainingResult) -> TrainingResult:
    return msgspec.structs.replace(result, **NO_TIME)
