"""Hardware-aware evolutionary search for tiny video networks.

What a user does is a function here, loaded when it is first asked for; docs/python-api.md shows them all.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tvnsearch.api.bench import bench
    from tvnsearch.api.classify import classify, classify_stream
    from tvnsearch.api.clip_cleaning import clean_clips
    from tvnsearch.api.databases import (
        database_contents,
        merge_databases,
        pack_database,
        remove_from_database,
        verify_database,
    )
    from tvnsearch.api.datasets import generate_data, inspect_data, prepare_data
    from tvnsearch.api.describe import describe
    from tvnsearch.api.diagnose import diagnose
    from tvnsearch.api.dry_run import plan_search
    from tvnsearch.api.evaluate import evaluate
    from tvnsearch.api.evolve import evolve, resume
    from tvnsearch.api.export_model import export_model
    from tvnsearch.api.export_streaming import export_streaming
    from tvnsearch.api.finalists import finalists
    from tvnsearch.api.fit import fit
    from tvnsearch.api.measure import measure
    from tvnsearch.api.pick import pick
    from tvnsearch.api.predict import predict
    from tvnsearch.api.profile import profile
    from tvnsearch.api.report import report
    from tvnsearch.api.sample import sample
    from tvnsearch.api.scale import scale
    from tvnsearch.api.status import HandedOver, status
    from tvnsearch.api.tables import export_table, import_table, show_table
    from tvnsearch.api.train import resume_training, train
    from tvnsearch.api.watching import Watch
    from tvnsearch.api.zoo_figures import zoo_figures
    from tvnsearch.devices.device import open_device
    from tvnsearch.errors import UserError
    from tvnsearch.search.progress.figures import SearchProgress

__all__ = [
    "HandedOver",
    "SearchProgress",
    "UserError",
    "Watch",
    "bench",
    "classify",
    "classify_stream",
    "clean_clips",
    "database_contents",
    "describe",
    "diagnose",
    "evaluate",
    "evolve",
    "export_model",
    "export_streaming",
    "export_table",
    "finalists",
    "fit",
    "generate_data",
    "import_table",
    "inspect_data",
    "measure",
    "merge_databases",
    "open_device",
    "pack_database",
    "pick",
    "plan_search",
    "predict",
    "prepare_data",
    "profile",
    "remove_from_database",
    "report",
    "resume",
    "resume_training",
    "sample",
    "scale",
    "show_table",
    "status",
    "train",
    "verify_database",
    "zoo_figures",
]

_HOMES = {
    "bench": "tvnsearch.api.bench",
    "HandedOver": "tvnsearch.api.status",
    "SearchProgress": "tvnsearch.search.progress.figures",
    "UserError": "tvnsearch.errors",
    "Watch": "tvnsearch.api.watching",
    "classify": "tvnsearch.api.classify",
    "classify_stream": "tvnsearch.api.classify",
    "clean_clips": "tvnsearch.api.clip_cleaning",
    "database_contents": "tvnsearch.api.databases",
    "describe": "tvnsearch.api.describe",
    "diagnose": "tvnsearch.api.diagnose",
    "evaluate": "tvnsearch.api.evaluate",
    "evolve": "tvnsearch.api.evolve",
    "export_model": "tvnsearch.api.export_model",
    "export_streaming": "tvnsearch.api.export_streaming",
    "export_table": "tvnsearch.api.tables",
    "finalists": "tvnsearch.api.finalists",
    "fit": "tvnsearch.api.fit",
    "generate_data": "tvnsearch.api.datasets",
    "import_table": "tvnsearch.api.tables",
    "inspect_data": "tvnsearch.api.datasets",
    "measure": "tvnsearch.api.measure",
    "merge_databases": "tvnsearch.api.databases",
    "open_device": "tvnsearch.devices.device",
    "pack_database": "tvnsearch.api.databases",
    "pick": "tvnsearch.api.pick",
    "plan_search": "tvnsearch.api.dry_run",
    "predict": "tvnsearch.api.predict",
    "prepare_data": "tvnsearch.api.datasets",
    "profile": "tvnsearch.api.profile",
    "remove_from_database": "tvnsearch.api.databases",
    "report": "tvnsearch.api.report",
    "resume": "tvnsearch.api.evolve",
    "resume_training": "tvnsearch.api.train",
    "sample": "tvnsearch.api.sample",
    "scale": "tvnsearch.api.scale",
    "show_table": "tvnsearch.api.tables",
    "status": "tvnsearch.api.status",
    "train": "tvnsearch.api.train",
    "verify_database": "tvnsearch.api.databases",
    "zoo_figures": "tvnsearch.api.zoo_figures",
}
"""The module that each name comes from: loaded at once, some would take seconds."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
