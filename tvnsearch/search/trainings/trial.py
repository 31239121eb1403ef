"""What any training needs: a folder for its weights, and surroundings in which trainings work at all."""

from __future__ import annotations

from collections.abc import Callable

from tvnsearch.search.exchange import Exchange
from tvnsearch.search.executors import Executor, RemoteWorker
from tvnsearch.search.history import History
from tvnsearch.search.protocols import FitnessFunction, TrainingRequest
from tvnsearch.search.run_folder import drop_checkpoint, trial_path
from tvnsearch.workers import EnvironmentFailedError

TRIAL_SHARE = 0.05
"""So much of a training shows whether trainings work: it ends with weights, a checkpoint and a score."""

WAIT_SECONDS = 1.0


def another_trains(
    number: int,
    history: History,
    exchange: Exchange,
    executor: Executor,
    fitness: FitnessFunction,
    say: Callable[[str], None],
    tick: Callable[[], None],
) -> bool:
    """Whether another individual than ``number``, that has been trained, can be trained now.

    ``tick`` is called while that is waited for.
    """
    trained = history.individuals.values()
    others = [one for one in trained if one.number != number and not one.fitness.stopped]
    if not others:
        return False
    other = others[-1]
    say(
        f"individual {number} cannot be trained, and is the last to be: individual {other.number}, which "
        "was, is trained a little, to see whose fault that is"
    )
    folder = trial_path(exchange.folder)
    request = TrainingRequest(
        number=other.number,
        parent=None,
        genome=other.genome,
        seed=0,
        weights=folder / "weights.safetensors",
        checkpoints=folder / "checkpoints",
        until_share=TRIAL_SHARE,
    )

    def train(worker: RemoteWorker) -> None:
        make_folder(request)
        fitness(worker, request, lambda _: None)

    trial = executor.submit(train)
    while not trial.done():
        executor.wait([trial], WAIT_SECONDS)
        tick()
    drop_checkpoint(folder)
    return trial.exception() is None


def make_folder(request: TrainingRequest) -> None:
    """Make the folder that a worker is to leave weights in.

    Raises:
        EnvironmentFailedError: it cannot be made.
    """
    try:
        request.weights.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentFailedError(f"{type(error).__name__}: {error}") from None
