"""What a search is going to do: what was asked for, scaled to its time, and all that a resume needs."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.space import SearchSpace
from tvnsearch.search.budget import Budget
from tvnsearch.search.events import Amended
from tvnsearch.search.settings import (
    Accelerations,
    DeviceSettings,
    SearchSettings,
    Settings,
    TrainingSettings,
    changed,
    require_positive,
)

FEWEST_TRAININGS = 24
"""Under this many trainings an evolution is little more than its random pool."""

SHORTEST_TRAINING_SECONDS = 1.0
"""No training is cut shorter; with so little time the search trains fewer networks than planned."""


class Start(Struct, frozen=True, forbid_unknown_fields=True):
    """A genome that a search starts from; ``name`` says whose it is: a zoo network, one of a run, a file."""

    name: str
    genome: Genome


class SearchPlan(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that decides how a search goes; written to the journal when a run begins.

    ``asked`` is what the user gave then; the groups of settings beside it are what that comes to in the time
    there is, with what was amended since. ``seconds_per_training`` bounds each training, whatever its
    iterations; the winner is trained alone for ``winner_minutes`` afterwards, if there are any.
    ``device_digest`` names what latencies are measured on, ``clips`` what fitness is measured on, which has
    so many ``classes``, of these names; of those to select on ``validation_clips`` at most are used.
    The genomes of ``start`` are the first candidates.

    Raises:
        UserError: trainings are to be stopped early that have no middle.
    """

    asked: Settings
    budget: Budget
    device: DeviceSettings
    search: SearchSettings
    training: TrainingSettings
    accelerations: Accelerations
    space: SearchSpace
    classes: int
    device_digest: str
    clips: str
    class_names: tuple[str, ...] = ()
    seconds_per_training: float | None = None
    winner_minutes: float | None = None
    validation_clips: int | None = None
    start: tuple[Start, ...] = ()

    def __post_init__(self) -> None:
        require_positive("classes", self.classes)
        if self.accelerations.early_stopping and self.training.iterations < 2:
            raise UserError(
                f"expected trainings that can be stopped early, but they are of {self.training.iterations} "
                "iteration; give more --iterations, or leave out --early-stopping"
            )


def plan_of(
    settings: Settings, space: SearchSpace, classes: int, device_digest: str = "", clips: str = ""
) -> SearchPlan:
    """The plan of a search as it was asked for, not yet scaled to its minutes."""
    return SearchPlan(
        asked=settings,
        budget=settings.budget,
        device=settings.device,
        search=settings.search,
        training=settings.training,
        accelerations=settings.accelerations,
        space=space,
        classes=classes,
        device_digest=device_digest,
        clips=clips,
    )


def scale_to_minutes(
    plan: SearchPlan,
    minutes: float,
    seconds_per_iteration: float,
    seconds_per_candidate: float = 0.0,
    workers: int = 1,
) -> SearchPlan:
    """Shrink a plan to the time there is; a plan that fits only gets its ``minutes``.

    ``workers`` networks train at once, each as fast as was timed with all of them at work. A training is
    taken to cost ``seconds_per_candidate`` (measuring, evaluating) besides its iterations, while all workers
    stand still. First fewer networks are trained, down to ``FEWEST_TRAININGS``, then all of them for the same
    shorter time: equal seconds, not equal iterations, because one slow network would otherwise use up the
    time of ten. A third of the trainings go to the random pool at most, and the tournament keeps its share of
    the population.
    """
    asked = plan.search
    seconds = minutes * 60 * workers
    seconds_beside = seconds_per_candidate * workers
    whole_training = plan.training.iterations * seconds_per_iteration
    fitting = int(seconds / (whole_training + seconds_beside))
    if fitting >= asked.trainings:
        return changed(plan, minutes=minutes)
    trainings = min(asked.trainings, max(fitting, FEWEST_TRAININGS))
    population = min(asked.population, max(1, trainings // 3))
    shorter = changed(
        plan,
        minutes=minutes,
        trainings=trainings,
        population=population,
        tournament=max(min(2, population), population * asked.tournament // asked.population),
    )
    seconds_each = max(seconds / trainings - seconds_beside, SHORTEST_TRAINING_SECONDS)
    return replace(shorter, seconds_per_training=seconds_each)


def amended(plan: SearchPlan, by: Amended) -> SearchPlan:
    """The plan with what ``by`` says; what was asked for when the run began stays beside it.

    Raises:
        UserError: no search can go by what it says.
    """
    said = {name: getattr(by, name) for name in by.__struct_fields__ if getattr(by, name) is not None}
    fields = {name: said.pop(name) for name in ("winner_minutes", "clips") if name in said}
    return replace(changed(plan, **said), **fields)
