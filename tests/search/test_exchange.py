"""A run that lies on the driver's disk alone, and what its workers leave in a folder that is shared."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.search.executors.ray_nodes import REPOSITORY, SMALL, cluster
from tests.search.fakes import (
    FakeLatency,
    SteppingFitness,
    decisions,
    fitness,
    in_process,
    make_plan,
)
from tvnsearch.errors import UserError
from tvnsearch.genome import Genome
from tvnsearch.search import Fitness, Journal, SearchPlan, run_finalists, run_search, weights_path
from tvnsearch.search.exchange import Exchange, open_exchange
from tvnsearch.search.executors import RemoteWorker, open_executor
from tvnsearch.search.protocols import TrainingProgress, TrainingRequest
from tvnsearch.search.settings import Workforce
from tvnsearch.workers import EnvironmentFailedError

ACCELERATED: dict[str, Any] = {"iterations": 90, "early_stopping": True, "inherit": True}


class SharingFitness(SteppingFitness):
    """Sees nothing but the folder that is shared, and scores higher what begins with its parent's weights."""

    def __init__(self, shared: Path, hook: Callable[[str, Genome], None] = lambda *_: None) -> None:
        super().__init__(hook)
        self.inherited = 0
        self._shared = shared

    def __call__(
        self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
    ) -> Fitness:
        places = [request.weights, request.checkpoints]
        share = None
        if request.origin is not None:
            places.append(request.origin.weights)
            share = len(request.origin.weights.read_bytes()) / 100
            self.inherited += 1
        assert all(place.is_relative_to(self._shared) for place in places)
        scored = super().__call__(worker, request, on_progress)
        return Fitness(scored.value + (share or 0), None, None, None, 0.5, 7, inherited_share=share)


def search(run: Path, shared: Path | None, fitness: SteppingFitness, plan: SearchPlan) -> Exchange:
    with Journal.open(run) if run.exists() else Journal.create(run, plan) as journal:
        exchange = open_exchange(run, None if shared is None else str(shared))
        run_search(journal, FakeLatency(), fitness, in_process(), lambda event: None, exchange=exchange)
    return exchange


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder


def test_a_search_decides_alike_and_has_all_that_is_trained_in_the_run(tmp_path: Path, shared: Path) -> None:
    plan = make_plan(**ACCELERATED)
    sharing = SharingFitness(shared)
    exchange = search(tmp_path / "run", shared, sharing, plan)
    search(tmp_path / "alone", None, SharingFitness(tmp_path / "alone"), plan)
    assert decisions(tmp_path / "run") == decisions(tmp_path / "alone")
    assert sharing.inherited > 5
    kept = {path.name: path.read_bytes() for path in (tmp_path / "run" / "weights").iterdir()}
    assert kept == {path.name: path.read_bytes() for path in (tmp_path / "alone" / "weights").iterdir()}
    assert not list((exchange.folder / "weights").iterdir())
    left = {path.name for path in (exchange.folder / "checkpoints").iterdir()}
    assert left == {path.name for path in (tmp_path / "alone" / "checkpoints").iterdir()}
    assert left, "some are paused"
    assert not (tmp_path / "run" / "checkpoints").exists()


class CutOff(Exception):  # noqa: N818
    """Whatever ends a process."""


@pytest.mark.parametrize("places", [("shared", "other"), ("shared", None, "shared"), (None, "shared", None)])
def test_what_is_half_trained_goes_on_wherever_it_is_left_next(
    tmp_path: Path, places: tuple[str | None, ...]
) -> None:
    run, plan, steps = tmp_path / "run", make_plan(trainings=20, iterations=90), list[tuple[int, int]]()

    def cut_off_after(count: int) -> Callable[[str, Genome], None]:
        def hook(step: str, genome: Genome) -> None:
            if step == "step" and len(fitness.steps) == count:
                raise CutOff

        return hook

    for turn, name in enumerate(places):
        shared = None if name is None else tmp_path / name
        if shared is not None:
            shared.mkdir(exist_ok=True)
        fitness = SharingFitness(run if shared is None else shared, cut_off_after(23))
        if turn < len(places) - 1:
            with pytest.raises(CutOff):
                search(run, shared, fitness, plan)
        else:
            fitness = SharingFitness(run if shared is None else shared)
            exchange = search(run, shared, fitness, plan)
        steps += fitness.steps
    assert len(set(steps)) == len(steps) == 200
    with Journal.read(run) as journal:
        assert len(journal.history().individuals) == 20
    assert (run / "exchange.txt").exists() == (exchange.folder != run)
    others = [path for name in ("shared", "other") for path in (tmp_path / name).glob("*")]
    assert others == ([] if exchange.folder == run else [exchange.folder])


def test_the_copy_of_a_run_and_the_run_leave_each_other_alone(tmp_path: Path, shared: Path) -> None:
    with Journal.create(tmp_path / "run", make_plan()):
        first = open_exchange(tmp_path / "run", str(shared))
    (first.folder / "checkpoints" / "3").mkdir(parents=True)
    (first.folder / "checkpoints" / "3" / "steps").write_text("5")
    shutil.copytree(tmp_path / "run", tmp_path / "copy")
    copied = open_exchange(tmp_path / "copy", str(shared))
    assert copied.folder != first.folder
    assert open_exchange(tmp_path / "run", str(shared)) == first
    assert open_exchange(tmp_path / "copy", str(shared)) == copied
    assert [(one.folder / "checkpoints" / "3" / "steps").read_text() for one in (first, copied)] == ["5", "5"]


def test_finalists_leave_their_weights_in_the_run_too(tmp_path: Path, shared: Path) -> None:
    run = tmp_path / "run"
    exchange = search(run, shared, SharingFitness(shared), make_plan(trainings=10))
    with Journal.open(run) as journal:
        finalists = run_finalists(
            journal, FakeLatency(fails=False), SharingFitness(shared), in_process(), 2, lambda _: None,
            lambda *_: None, exchange=exchange,
        )  # fmt: skip
    assert len(finalists) == 2
    names = {f"{one.individual.number}.safetensors" for one in finalists}
    assert {path.name for path in (run / "finalists").iterdir()} == names


def test_a_share_that_goes_is_nobodys_fault(
    tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tvnsearch.search.trainings.patience.PAUSES_SECONDS", (0.01, 0.01, 0.01))
    run, plan = tmp_path / "run", make_plan(trainings=10)

    def take_away(step: str, genome: Genome) -> None:
        if len(fitness.trained) == 5 and shared.is_dir():
            shared.rename(tmp_path / "away")
            shared.write_text("no folder any more")
            raise EnvironmentFailedError("FileNotFoundError: the share is gone")

    fitness = SharingFitness(shared, take_away)
    with pytest.raises(UserError, match=r"none of the networks' fault .* resume .*nothing that was trained"):
        search(run, shared, fitness, plan)
    shared.unlink()
    shared.mkdir()
    with pytest.raises(UserError, match=r"half trained in .*/shared/run-.*, but that is not there; mount"):
        search(run, shared, SharingFitness(shared), plan)
    shared.rmdir()
    (tmp_path / "away").rename(shared)
    search(run, shared, SharingFitness(shared), plan)
    with Journal.read(run) as journal:
        assert len(journal.history().individuals) == 10 and not journal.history().failures


class WritingFitness:
    """Has the worker, a process of its own, write the weights, from the folder that it runs in."""

    def __call__(
        self, worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress
    ) -> Fitness:
        request.checkpoints.mkdir(parents=True, exist_ok=True)
        worker.call("write", {"path": str(request.weights)})
        return fitness(request.number + 1.0)


def trained_by(workforce: Workforce, run: Path) -> None:
    """Have processes train what a run wants, and see that it has all of it."""
    with (
        Journal.create(run, make_plan(trainings=6)) as journal,
        open_executor(workforce, "tests.echo_worker") as executor,
    ):
        run_search(
            journal,
            FakeLatency(fails=False),
            WritingFitness(),
            executor,
            lambda event: None,
            exchange=open_exchange(run, workforce.shared),
        )
        history = journal.history()
    assert len(history.individuals) == 6
    written = {number for number in history.individuals if weights_path(run, number).read_bytes() == b"x"}
    assert written == set(history.individuals)


def test_processes_write_to_the_shared_folder_and_the_run_has_it(tmp_path: Path, shared: Path) -> None:
    trained_by(Workforce(2, shared=str(shared)), tmp_path / "run")
    [exchange] = shared.iterdir()
    assert (exchange / "checkpoints").is_dir()


@pytest.mark.slow
def test_machines_that_lack_the_folder_of_the_search_train_in_the_shared_one(
    tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine of a Ray cluster, nothing named ``local`` can be entered."""
    lacking, local = tmp_path / "lacking", tmp_path / "local"
    lacking.mkdir()
    local.mkdir()
    (lacking / "sitecustomize.py").write_text(
        "import os\nchdir = os.chdir\n"
        "def chdir_elsewhere(folder):\n"
        "    chdir(os.path.join(folder, 'gone') if 'local' in str(folder) else folder)\n"
        "os.chdir = chdir_elsewhere\n"
    )
    with cluster(nodes=0) as nodes:
        nodes.add_node(num_cpus=2, env_vars={"PYTHONPATH": f"{lacking}:{REPOSITORY}"}, **SMALL)
        monkeypatch.chdir(local)
        trained_by(Workforce(2, "ray", nodes.address, shared=str(shared)), Path("run"))


def test_the_name_of_a_share_may_be_no_text(tmp_path: Path) -> None:
    shared = tmp_path / os.fsdecode(b"caf\xe9")
    shared.mkdir()
    run, fitness = tmp_path / "run", SharingFitness(shared)
    exchange = search(run, shared, fitness, make_plan(trainings=5))
    assert search(run, shared, fitness, make_plan(trainings=5)) == exchange


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a folder that all machines see for --shared, but .*/none is none"):
        open_executor(Workforce(shared=str(tmp_path / "none")), "tests.echo_worker").__enter__()
