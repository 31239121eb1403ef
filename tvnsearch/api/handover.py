"""The winner of a search: trained longer where there is time, scored on unseen clips, written to files."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from cli.output import ProgressBar, say
from tvnsearch.api.planning import FINAL_SHARE, ITERATIONS_WITHOUT_END
from tvnsearch.api.request import Request
from tvnsearch.api.status import FinalScores, final_scores
from tvnsearch.api.trained_fitness import TrainedFitness
from tvnsearch.api.trained_model import ModelCard, export_winner, load_model, write_model
from tvnsearch.data.dataset import Dataset
from tvnsearch.errors import UserError
from tvnsearch.search.executors import Executor
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.protocols import TrainingFailed
from tvnsearch.search.records import Finalist, Individual, Winner
from tvnsearch.search.run_folder import drop_checkpoint, finalist_weights_path, weights_path, winner_folder
from tvnsearch.training.recipe import Recipe
from tvnsearch.workers import WorkerDiedError


def hand_over(
    journal: Journal,
    winner: Winner,
    request: Request,
    dataset: Dataset,
    fitness: TrainedFitness,
    executor: Executor,
) -> None:
    """Write the winner's folder, unless this winner's is there; a finalist is handed over as such.

    Where the search was cut to the user's minutes the winner is trained longer first; interrupted, that goes
    on from its checkpoint. An export that failed, or was cut off, is tried again.

    Raises:
        UserError: the weights cannot be scored on this machine.
    """
    run, number = journal.run, winner.individual.number
    finalist = next((one for one in journal.finalists() if one.individual.number == number), None)
    scores = final_scores(run)
    if scores is not None and (scores.number, scores.at_full_length) == (number, finalist is not None):
        _export(run)
        return
    if finalist is not None:
        hand_over_finalist(run, finalist, dataset, fitness, executor)
        return
    winner_folder(run).mkdir(exist_ok=True)
    if request.minutes is None:
        shutil.copyfile(weights_path(run, number), _weights(run))
        seconds = winner.individual.fitness.seconds
    else:
        seconds = _train_longer(run, winner, request, request.minutes, fitness, executor)
    _write_files(run, winner.individual, seconds, dataset, fitness, executor)
    drop_checkpoint(_checkpoints(run, number))
    _export(run)


def hand_over_finalist(
    run: Path, finalist: Finalist, dataset: Dataset, fitness: TrainedFitness, executor: Executor
) -> None:
    """Write the winner's folder with a finalist in it, trained at full length."""
    winner_folder(run).mkdir(exist_ok=True)
    shutil.copyfile(finalist_weights_path(run, finalist.individual.number), _weights(run))
    _write_files(
        run, finalist.individual, finalist.fitness.seconds, dataset, fitness, executor, at_full_length=True
    )
    _export(run)


def _weights(run: Path) -> Path:
    return winner_folder(run) / "weights.safetensors"


def _onnx(run: Path) -> Path:
    return winner_folder(run) / "model.onnx"


def _checkpoints(run: Path, number: int) -> Path:
    return run / "winner-checkpoints" / str(number)


def _write_files(
    run: Path,
    individual: Individual,
    training_seconds: float,
    dataset: Dataset,
    fitness: TrainedFitness,
    executor: Executor,
    at_full_length: bool = False,
) -> None:
    """Score the weights in the winner's folder on unseen clips, and write all else but the export."""
    folder, genome = winner_folder(run), individual.genome
    for of_other_weights in (folder / "scores.json", _onnx(run)):
        of_other_weights.unlink(missing_ok=True)
    try:
        test = executor.submit(fitness.evaluate, genome, _weights(run), "test").result()
    except (TrainingFailed, WorkerDiedError) as error:
        raise UserError(
            f"expected to score the winner of {run} on the test clips, but that failed ({error}); what was "
            "searched is kept, and the same command tries again"
        ) from None
    write_model(folder, genome, ModelCard(dataset.classes, dataset.multi_label, data=dataset.address))
    scores = FinalScores(
        number=individual.number,
        clips=test.clips,
        chance=dataset.chance,
        top1=test.top1,
        top5=test.top5,
        mean_average_precision=test.mean_average_precision,
        training_seconds=training_seconds,
        max_relative_error=None,
        at_full_length=at_full_length,
    )
    _write_scores(run, scores)


def _write_scores(run: Path, scores: FinalScores) -> None:
    part = winner_folder(run) / "scores.json.part"
    try:
        part.write_bytes(msgspec.json.format(msgspec.json.encode(scores), indent=1))
        part.replace(winner_folder(run) / "scores.json")
    finally:
        part.unlink(missing_ok=True)


def _export(run: Path) -> None:
    """Export the winner unless that is done; what fails is said, and the run has its scores all the same."""
    scores = final_scores(run)
    if scores is None or scores.max_relative_error is not None:
        return
    try:
        relative_error = export_winner(load_model(run), _onnx(run))
        _write_scores(run, msgspec.structs.replace(scores, max_relative_error=relative_error))
    except (UserError, OSError) as error:
        say(f"the winner is not exported: {error}; `tvnsearch resume {run}` tries again")


def _train_longer(
    run: Path, winner: Winner, request: Request, minutes: float, fitness: TrainedFitness, executor: Executor
) -> float:
    """Train the winner for its share of the user's minutes; the seconds that it took."""
    weights, searched = _weights(run), weights_path(run, winner.individual.number)
    recipe = Recipe(
        iterations=ITERATIONS_WITHOUT_END, max_seconds=minutes * 60 * FINAL_SHARE, seed=request.seed
    )
    try:
        with ProgressBar("train the winner") as bar:
            result = executor.submit(
                fitness.train,
                winner.individual.genome,
                recipe,
                weights,
                lambda state: bar.update(state["share"], f"loss {state['loss']:.2f}"),
                {"checkpoints": str(_checkpoints(run, winner.individual.number))},
            ).result()
    except (TrainingFailed, WorkerDiedError) as error:
        say(f"the longer training failed ({error}): the weights of the search are handed over")
        shutil.copyfile(searched, weights)
        return winner.individual.fitness.seconds
    if result.failed is not None or result.fitness < winner.individual.fitness.value:
        say("the longer training did not help: the weights of the search are handed over")
        shutil.copyfile(searched, weights)
    return result.seconds
