"""A run that is gone on with is the one that was asked for, and what it needs is opened once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.api.equipment import DATASET, Opened, PretendingTrainer
from tvnsearch.api.evolve import evolve, resume
from tvnsearch.api.finalists import finalists
from tvnsearch.api.open_run import find_clips
from tvnsearch.api.same_run import was_begun
from tvnsearch.api.watching import SILENT
from tvnsearch.control_groups import Container
from tvnsearch.data.moving_digits import ClipsPerClass, generate
from tvnsearch.devices import container
from tvnsearch.errors import UserError
from tvnsearch.genome.space import load_space
from tvnsearch.search import Journal
from tvnsearch.search.plan import plan_of
from tvnsearch.search.settings import Settings, Workforce, changed, settings_of
from tvnsearch.workers import Progress

RESOLUTION = "resolution = { min = 16, max = %d, step = 16 }\n"
ONCE = {"meter": 1, "clips": 1, "decoded": 1, "workers": 1}


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    return Opened(tmp_path, monkeypatch)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Those of a search in a space that is a file."""
    space = tmp_path / "space.toml"
    space.write_text(RESOLUTION % 32)
    return settings_of({"max_ms": 0.5, "space": str(space), "data": str(tmp_path / "clips")})


def begin(settings: Settings, run: Path) -> None:
    Journal.create(run, plan_of(settings, load_space(settings.search.space), classes=2)).close()


def test_a_run_is_known_by_its_settings_whoever_trains(settings: Settings, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert not was_begun(run, settings)
    begin(settings, run)
    assert was_begun(run, settings)
    assert was_begun(run, replace(settings, workforce=Workforce(8, "ray", "head:6379")))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"trainings": 999, "minutes": 60.0},
            "trainings was 1000 and is 999, minutes was none and is 60; change that by `tvnsearch resume "
            "RUN --trainings 999 --minutes 60`, or give another --run",
        ),
        (
            {"seed": 7, "trainings": 999},
            "trainings was 1000 and is 999, seed was 0 and is 7; go on with it as it is by `tvnsearch resume "
            "RUN`, or give another --run",
        ),
        ({"data": None}, "data was CLIPS and is none; go on with it as it is by"),
        (
            {"max_ms": 0.25, "inherit": True},
            "max_ms was 0.5 and is 0.25, inherit was False and is True; go on",
        ),
    ],
)
def test_settings_that_are_not_those_of_the_run_are_named(
    changes: dict[str, Any], sentence: str, settings: Settings, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    begin(settings, run)
    with pytest.raises(UserError) as refused:
        was_begun(run, changed(settings, **changes))
    told = sentence.replace("RUN", str(run)).replace("CLIPS", str(tmp_path / "clips"))
    assert f"expected the settings that the run {run} was begun with, but {told}" in str(refused.value)


@pytest.mark.parametrize("clips", ["clips/", "./clips", "../{folder}/clips", "link/clips", "{here}/clips"])
def test_clips_are_the_same_in_whatever_way_their_place_is_said(
    clips: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    begin(settings_of({"max_ms": 0.5, "data": "clips"}), tmp_path / "run")
    said = clips.format(folder=tmp_path.name, here=tmp_path)
    assert was_begun(tmp_path / "run", settings_of({"max_ms": 0.5, "data": said}))
    (tmp_path / "others").mkdir()
    with pytest.raises(UserError, match=r"data was .*/clips and is .*/others"):
        was_begun(tmp_path / "run", settings_of({"max_ms": 0.5, "data": "others"}))


def test_a_run_is_gone_on_with_from_any_folder(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = opened.options(data="clips", db=opened.db.name, space="space.toml")
    (tmp_path / "space.toml").write_text(RESOLUTION % 32)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    evolve(run="run", **options)
    with Journal.read(tmp_path / "run") as journal:
        asked = journal.plan.asked
    assert (asked.training.data, asked.device.db, asked.search.space) == (
        str(tmp_path / "clips"),
        str(opened.db),
        str(tmp_path / "space.toml"),
    )
    monkeypatch.chdir("elsewhere")
    report = resume("../run")
    assert report.winner is not None
    assert all(Path(file).is_file() for file in report.winner.files)
    finalists("../run", count=1)
    monkeypatch.chdir(tmp_path)
    assert evolve(run="run", **options).trained == report.trained


def test_clips_that_have_moved_are_named_once(opened: Opened, tmp_path: Path) -> None:
    run, options = tmp_path / "run", opened.options()
    evolve(run=run, **options)
    (tmp_path / "clips").rename(tmp_path / "moved")
    with pytest.raises(
        UserError, match=r"clips of the run .*/clips, but .*; say where they are now by --data"
    ):
        resume(run)
    with pytest.raises(UserError, match="nowhere"):
        resume(run, data=tmp_path / "nowhere")
    finalists(run, count=1, data=tmp_path / "moved")
    resume(run)
    evolve(run=run, **options | {"data": str(tmp_path / "moved")})
    with Journal.read(run) as journal:
        assert journal.plan.training.data == str(tmp_path / "moved")
        assert journal.plan.asked.training.data == str(tmp_path / "clips")


def test_clips_that_turn_out_to_be_others_do_not_stay_with_the_run(opened: Opened, tmp_path: Path) -> None:
    run = tmp_path / "run"
    evolve(run=run, **opened.options())
    (tmp_path / "others").mkdir()
    opened.dataset = replace(DATASET, classes=("left", "up"))
    with pytest.raises(UserError, match=r"has 'up' where 'right' was; .* by --data"):
        resume(run, data=tmp_path / "others")
    opened.dataset = DATASET
    resume(run)
    with Journal.read(run) as journal:
        assert journal.plan.training.data == str(tmp_path / "clips")


def test_a_space_file_that_has_changed_is_not_that_of_the_run(settings: Settings, tmp_path: Path) -> None:
    begin(settings, tmp_path / "run")
    Path(settings.search.space).write_text(RESOLUTION % 48)
    with pytest.raises(UserError, match=r"search space that the run .* says another one by now"):
        was_begun(tmp_path / "run", settings)


def test_clips_are_those_of_the_space_in_the_journal(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    generate(tmp_path / "clips", ClipsPerClass(2, 1, 1), digits=[0])
    begin(settings, tmp_path / "run")
    Path(settings.search.space).unlink()
    with Journal.read(tmp_path / "run") as journal:
        _, source = find_clips(settings.training, journal.plan.space, SILENT)
    assert source.resolution == 32


def test_a_command_opens_device_clips_and_workers_once(opened: Opened, tmp_path: Path) -> None:
    """Planning, search, winner and finals share them."""
    evolve(run=tmp_path / "run", **opened.options())
    assert opened.counts == ONCE
    for go_on in (resume, finalists):
        opened.counts.clear()
        go_on(tmp_path / "run")
        assert opened.counts == ONCE


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"digest": "ba9876543210"}, "expected the device 0123456789ab that the run .* this is ba9876543210"),
        (
            {"digest": "ba9876543210", "differences": ["onednn was 3.4 and is 3.5", "cores was 2 and is 4"]},
            "0123456789ab that the run .* but onednn was 3.4 and is 3.5, cores was 2 and is 4; go on where",
        ),
        (
            {"dataset": replace(DATASET, classes=("a", "b", "c"))},
            "expected the 2 classes that the run .* has 3; restore the clips",
        ),
    ],
)
def test_a_run_does_not_go_on_with_what_has_changed(
    opened: Opened, tmp_path: Path, change: dict[str, Any], sentence: str
) -> None:
    evolve(run=tmp_path / "run", **opened.options())
    opened.counts.clear()
    for name, value in change.items():
        setattr(opened, name, value)
    with pytest.raises(UserError, match=sentence):
        resume(tmp_path / "run")
    assert not opened.counts["decoded"]


class SharingTrainer(PretendingTrainer):
    """Remembers where it was to write weights, and can only score what it sees."""

    def __init__(self, shared: Path) -> None:
        super().__init__()
        self.places: list[Path] = []
        self._shared = shared

    def call(self, method: str, params: Mapping[str, Any], on_progress: Progress | None = None) -> Any:
        weights = Path(params["weights"])
        if not weights.name.startswith("trial-"):
            self.places += [weights, Path(params.get("checkpoints", weights))]
        assert method == "train" or weights.read_bytes() == b"weights"
        return super().call(method, params, on_progress)


def test_workers_see_nothing_of_a_run_but_what_is_shared(opened: Opened, tmp_path: Path) -> None:
    run, shared = tmp_path / "run", tmp_path / "shared"
    shared.mkdir()
    opened.trainer = trainer = SharingTrainer(shared)
    evolve(run=run, **opened.options(shared=str(shared), minutes=600))
    finalists(run, count=2)
    [exchange] = shared.iterdir()
    assert {place.relative_to(exchange).parts[0] for place in trainer.places} == {
        "weights", "checkpoints", "winner", "winner-checkpoints", "finalists", "lent",
    }  # fmt: skip
    assert (run / "winner" / "weights.safetensors").read_bytes() == b"weights"
    assert len(list((run / "weights").iterdir())) >= 4
    assert [one.shared for one in opened.workforces] == [str(shared)] * 2


def test_who_resumes_may_name_other_workers_and_the_run_keeps_its_own(opened: Opened, tmp_path: Path) -> None:
    run = tmp_path / "run"
    evolve(run=run, **opened.options(workers=2))
    for go_on in (resume, finalists):
        go_on(run, workers=5)
        go_on(run)
    evolve(run=run, **opened.options(workers=4))
    assert [one.workers for one in opened.workforces] == [2, 5, 2, 5, 2, 4]
    resume(run, train_threads=3)
    evolve(run=run, **opened.options(train_threads=2))
    assert [one.train_threads for one in opened.workforces] == [None] * 6 + [3, 2]
    with pytest.raises(UserError, match="expected 1 worker or more, but got 0"):
        resume(run, workers=0)
    with pytest.raises(UserError, match="expected an executor of local, ray, but got 'slurm'"):
        finalists(run, executor="slurm")


def test_a_container_too_small_for_the_threads_opens_nothing(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evolve(run=tmp_path / "run", **opened.options())
    opened.counts.clear()
    monkeypatch.setattr(container, "read_container", lambda process: Container(cpu_cores=0.4))
    with pytest.raises(UserError, match=r"CPU quota is 0\.4 of a core"):
        evolve(run=tmp_path / "other", **opened.options())
    assert not (tmp_path / "other").exists()
    for go_on in (resume, finalists):
        with pytest.raises(UserError, match=r"CPU quota is 0\.4 of a core"):
            go_on(tmp_path / "run")
    assert not opened.counts
