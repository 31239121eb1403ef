"""Budgets that nothing keeps: refused before clips, processes and heavy modules."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from latency_db.store import LatencyStore
from predictors.fit import fit_from_store
from predictors.predictor import LatencyPredictor
from predictors.record import predictor_path
from tests.api.equipment import Opened
from tests.predictors.synthetic_device import profiles, store_profiles
from tvnsearch.api.built_in_clips import CLASSES
from tvnsearch.api.dry_run import plan_search
from tvnsearch.api.evolve import evolve
from tvnsearch.data.moving_digits import MOTIONS
from tvnsearch.errors import UserError

HEAVY = {"torch", "lightgbm", "pandas", "sklearn", "scipy", "av"}

SEARCHED_ALONE = """
import sys
from tvnsearch.api.evolve import evolve
from tvnsearch.errors import UserError
try:
    evolve(db=sys.argv[1], run="run", {options})
except UserError as error:
    print(error)
    print(*sorted({{name.partition(".")[0] for name in sys.modules}}))
"""


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    return Opened(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("max_ms=0.0001", "--max-ms 0.0001 and the smallest network found takes 0.0"),
        ("max_ms=50.0, max_params=10", "--max-params 10 and the smallest network found takes 160 parameters"),
    ],
)
def test_an_impossible_budget_is_answered_without_a_clip_and_a_process(
    profiled: Path, tmp_path: Path, options: str, sentence: str
) -> None:
    code = SEARCHED_ALONE.format(options=options)
    done = subprocess.run(
        [sys.executable, "-c", code, str(profiled)],
        cwd=tmp_path,
        env={"XDG_DATA_HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    said, loaded = done.stdout.splitlines()
    assert sentence in said
    assert not HEAVY & {*loaded.split()}
    assert not [*tmp_path.iterdir()]


def test_counts_are_refused_where_nothing_was_profiled(tmp_path: Path) -> None:
    for ask in (evolve, plan_search):
        with pytest.raises(UserError, match=r"got --max-gflops 1e-09 and .* for 40 classes alone"):
            ask(max_ms=50.0, max_gflops=1e-9, db=str(tmp_path / "none.sqlite"), run=tmp_path / "run")
    assert len(range(10)) * len(MOTIONS) == CLASSES


@pytest.mark.parametrize("budget", [{"max_ms": 0.0001}, {"max_params": 5}])
def test_clips_of_the_users_own_are_listed_and_nothing_is_started(
    opened: Opened, profiled: Path, tmp_path: Path, budget: dict[str, Any]
) -> None:
    with pytest.raises(UserError, match="expected a budget that some network of this space keeps"):
        evolve(run=tmp_path / "run", **opened.options(db=str(profiled), **budget))
    assert opened.counts == {"clips": 1}


@pytest.mark.parametrize("other", [{"batch": 2}, {"threads": 2}, {"precision": "bfloat16"}])
def test_a_predictor_of_another_device_refuses_nothing(
    opened: Opened, profiled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: dict[str, Any]
) -> None:
    monkeypatch.setattr("tvnsearch.devices.device.usable_cores", lambda: (0, 1))
    with pytest.raises(UserError):
        evolve(run=tmp_path / "run", **opened.options(db=str(profiled), max_ms=0.0001, **other))
    assert opened.counts["meter"] == 1


def test_a_predictor_that_learnt_from_other_tables_refuses_nothing(
    opened: Opened, profiled: Path, tmp_path: Path
) -> None:
    grown = tmp_path / "grown.sqlite"
    shutil.copy(profiled, grown)
    with LatencyStore(grown) as store:
        [device] = store.devices()
        store_profiles(store, device.fingerprint, profiles(1, seed=9))
    kept = predictor_path(profiled, device.digest).read_bytes()
    for content in (kept, b"damaged"):
        predictor_path(grown, device.digest).write_bytes(content)
        with pytest.raises(UserError, match="expected a budget that some network of this space keeps"):
            evolve(run=tmp_path / "run", **opened.options(db=str(grown), max_ms=0.0001))
    assert opened.counts["meter"] == 2


def test_of_several_predictors_all_have_to_agree(opened: Opened, profiled: Path, tmp_path: Path) -> None:
    both = tmp_path / "both.sqlite"
    shutil.copy(profiled, both)
    with LatencyStore(both) as store:
        [device] = store.devices()
        other = store_profiles(store, device.fingerprint | {"governor": "another"}, profiles(30, seed=2))
        fit_from_store(store, other).save(predictor_path(both, other))
    predictor_path(both, device.digest).write_bytes(predictor_path(profiled, device.digest).read_bytes())
    impossible = opened.options(db=str(both), max_ms=0.0001)
    with pytest.raises(UserError, match="expected a budget that some network of this space keeps"):
        evolve(run=tmp_path / "run", **impossible)
    assert not opened.counts["meter"]
    record = LatencyPredictor.load(predictor_path(both, other)).record
    quick = replace(record, prior_correction=replace(record.prior_correction, intercept=-20.0))
    LatencyPredictor(quick).save(predictor_path(both, other))
    with pytest.raises(UserError, match="expected a budget that some network of this space keeps"):
        evolve(run=tmp_path / "run", **impossible)
    assert opened.counts["meter"] == 1
