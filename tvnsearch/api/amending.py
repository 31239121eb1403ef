"""More of a run than it was begun with, or its clips from another place: its plan amended."""

from __future__ import annotations

import math
import shlex
from pathlib import Path

from msgspec import Struct

from tvnsearch.api.times import FINAL_SHARE, SEARCH_SHARE
from tvnsearch.api.watching import Watch
from tvnsearch.errors import UserError
from tvnsearch.search.events import Amended
from tvnsearch.search.history import History
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.places import absolute_address, absolute_path
from tvnsearch.search.plan import SearchPlan
from tvnsearch.search.progress.tally import Tally


class Changes(Struct, frozen=True, kw_only=True):
    """What a user changes of a run that goes on: None leaves things as they are.

    ``minutes`` and ``trainings`` are in all, or with a + before them so much more. ``data`` and ``db`` say
    where the clips and the latency database are now.
    """

    minutes: str | float | None = None
    trainings: str | int | None = None
    data: str | Path | None = None
    db: str | Path | None = None


NO_CHANGES = Changes()


def amendment(plan: SearchPlan, changes: Changes) -> Amended:
    """What ``changes`` come to for a run with that ``plan``; all of it is None where nothing changes.

    More minutes are more trainings, each as long as before, up to those that were asked for when the run
    began; a number of trainings that is given holds in any case.

    Raises:
        UserError: an amount is none, or there is nothing that it could be added to.
    """
    trainings = changes.trainings
    wanted = None if trainings is None else _trainings(trainings, plan.search.trainings)
    minutes = None if changes.minutes is None else _minutes(changes.minutes, minutes_in_all(plan))
    if minutes is not None and wanted is None:
        wanted = _trainings_in(minutes, plan)
    return Amended(
        trainings=wanted,
        minutes=None if minutes is None else minutes * SEARCH_SHARE,
        winner_minutes=None if minutes is None else minutes * FINAL_SHARE,
        data=None if changes.data is None else absolute_address(str(changes.data)),
        db=None if changes.db is None else absolute_path(str(changes.db)),
    )


def minutes_in_all(plan: SearchPlan) -> float | None:
    """The user's minutes, of which the search has a share; None where a run has no end in time."""
    return None if plan.search.minutes is None else plan.search.minutes / SEARCH_SHARE


def say_amended(before: SearchPlan, after: SearchPlan, watch: Watch) -> None:
    """What of trainings and minutes is another now, for people."""
    if after.search.trainings != before.search.trainings:
        watch.say(f"{after.search.trainings} networks in all, {before.search.trainings} before")
    minutes, known = minutes_in_all(after), minutes_in_all(before)
    if minutes is not None and minutes != known:
        former = "no end before" if known is None else f"{known:.4g} before"
        watch.say(
            f"{minutes:.4g} minutes in all, {former}: {after.search.minutes:.4g} to search, then "
            f"{after.winner_minutes:.4g} for the winner alone if it is another one"
        )


def say_finished(journal: Journal, watch: Watch) -> None:
    """Where a run has nothing left to do, that, and how it gets more."""
    plan = journal.plan
    history = History(plan.budget.max_ms)
    tally = Tally(plan, history)
    journal.replay(history, tally)
    if not history.winner_is_final:
        return
    if tally.trainings_left > 0 and not tally.is_out_of_time(journal.elapsed_seconds):
        return
    more = "" if plan.search.minutes is None else " --minutes +60"
    if not more or plan.search.trainings >= plan.asked.search.trainings:
        more += " --trainings +100"
    watch.say(
        f"the run {journal.run} is finished, with {len(history.individuals)} of {plan.search.trainings} "
        f"networks trained; more of it is had by `tvnsearch resume {shlex.quote(str(journal.run))}{more}`"
    )


def _trainings_in(minutes: float, plan: SearchPlan) -> int | None:
    """How many trainings, as long as those of the ``plan``, so many minutes have; None where nobody knows."""
    known = minutes_in_all(plan)
    if known is None or plan.seconds_per_training is None:
        return None
    planned = plan.search.trainings
    fitting = max(1, round(planned * minutes / known))
    return min(fitting, max(planned, plan.asked.search.trainings))


def _minutes(given: str | float, known: float | None) -> float:
    """The minutes in all."""
    try:
        number = float(given)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise UserError(
            f"expected --minutes over 0, as 60 in all or +60 for so many more, but got {given}; correct it"
        )
    if not _is_more(given):
        return number
    if known is None:
        raise UserError(
            f"expected a run with an end in time that --minutes {given} could be added to, but this one has "
            f"none; say how many it may take in all, as --minutes {number:g}, or give it --trainings +100"
        )
    return known + number


def _trainings(given: str | int, known: int) -> int:
    """The trainings in all."""
    try:
        number = int(given)
    except ValueError:
        number = 0
    if number < 1:
        raise UserError(
            f"expected --trainings of 1 or more, as 500 in all or +500 for so many more, but got {given}; "
            "correct it"
        )
    return known + number if _is_more(given) else number


def _is_more(given: str | float) -> bool:
    return isinstance(given, str) and given.strip().startswith("+")
