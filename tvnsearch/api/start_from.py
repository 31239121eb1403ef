"""The networks that a search starts from: those of the zoo, the fittest of earlier runs, genome files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from tvnsearch.api.genomes import resolve_genome
from tvnsearch.api.watching import Watch
from tvnsearch.errors import UserError
from tvnsearch.genome.identity import genome_id
from tvnsearch.genome.membership import outside
from tvnsearch.genome.space import SearchSpace
from tvnsearch.genome.trace import trace
from tvnsearch.genome.zoo import zoo
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.places import WHOLE_ZOO, start_sources
from tvnsearch.search.plan import Start
from tvnsearch.search.records import rank
from tvnsearch.search.run_folder import journal_path

FITTEST_OF_A_RUN = 10
"""So many of a run's networks are started from: its pool may be one family, which would fill the new one."""


def starting_genomes(start_from: str, space: SearchSpace, watch: Watch) -> tuple[Start, ...]:
    """The networks that ``start_from`` names, in its order, without those that the ``space`` does not hold.

    What is left out is said with the reason.

    Raises:
        UserError: something it names is not there or cannot be read, or nothing of it is left.
    """
    kept = dict[str, Start]()
    left_out = list[str]()
    for start in _named(start_from):
        reason = _why_not(start, space)
        identity = "" if reason else genome_id(start.genome)
        if identity in kept:
            reason = f"is the same network as {kept[identity].name}"
        if reason:
            left_out.append(f"{start.name} {reason}")
            watch.say(f"left out of what the search starts from: {left_out[-1]}")
        else:
            kept[identity] = start
    if not kept:
        raise UserError(
            f"expected networks of the search space to start from, but all {len(left_out)} of --start-from "
            f"{start_from} are left out ({left_out[0]}); name others, or search another --space"
        )
    return tuple(kept.values())


def _named(start_from: str) -> Iterator[Start]:
    for source in start_sources(start_from):
        if source == WHOLE_ZOO:
            yield from (Start(name, entry.build()) for name, entry in zoo().items())
        elif source not in zoo() and journal_path(Path(source)).is_file():
            yield from _fittest(Path(source))
        else:
            yield Start(source, resolve_genome(source))


def _fittest(run: Path) -> list[Start]:
    """The fittest networks of a run, by their whole trainings where they were finalists, the best first."""
    with Journal.read(run) as journal:
        history = journal.history()
    trained = [
        replace(individual, fitness=history.fitness_of(individual))
        for individual in history.individuals.values()
    ]
    whole = sorted((one for one in trained if not one.fitness.stopped), key=rank, reverse=True)
    if not whole:
        raise UserError(
            f"expected trained networks to start from in the run {run}, but it has none yet; see how it "
            f"stands with `tvnsearch status {run}`"
        )
    return [Start(f"{run} individual {one.number}", one.genome) for one in whole[:FITTEST_OF_A_RUN]]


def _why_not(start: Start, space: SearchSpace) -> str:
    """Why a search of ``space`` cannot start from a genome; nothing where it can."""
    differences = outside(start.genome, space)
    if differences:
        more = f" and {len(differences) - 1} more" if len(differences) > 1 else ""
        return f"has what the search space does not hold: {differences[0]}{more}"
    try:
        trace(start.genome)
    except UserError as error:
        return f"cannot be built: {error}"
    return ""
