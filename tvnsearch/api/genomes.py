"""What stands for a genome: itself, a zoo name, a genome file, a run (its winner) or a training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias, TypeVar

from tvnsearch.api.trained_model import CARD, load_card
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Genome, load_genome
from tvnsearch.genome.identity import genome_id
from tvnsearch.genome.trace import MOMENTS_IN_TIME_CLASSES
from tvnsearch.genome.zoo import load_zoo, zoo
from tvnsearch.search.run_folder import winner_folder

GenomeLike: TypeAlias = str | Path | Genome

GENOME = "genome.json"

T = TypeVar("T")


def listed(one_or_more: T | Sequence[T]) -> Sequence[T]:
    """Several things as they are, and one alone as a list of it: a name is no sequence of letters."""
    if isinstance(one_or_more, Sequence) and not isinstance(one_or_more, str):
        return one_or_more
    return [one_or_more]


def resolve_genome(genome: GenomeLike) -> Genome:
    """The genome that a user named.

    Raises:
        UserError: it is none of these, or the run has no winner yet.
    """
    if isinstance(genome, Genome):
        return genome
    if genome in zoo():
        return load_zoo(str(genome))
    path = Path(genome)
    if path.is_dir():
        if (path / GENOME).is_file():
            return load_genome(path / GENOME)
        winner = winner_folder(path) / GENOME
        if not winner.is_file():
            raise UserError(
                f"expected a run with a winner in {path}, but there is no {winner}; "
                f"see how it stands with `tvnsearch status {path}`"
            )
        return load_genome(winner)
    if path.is_file():
        return load_genome(path)
    raise UserError(
        f"expected a zoo network ({', '.join(zoo())}), a genome file or a run folder, got '{genome}', "
        "and there is no such file; `tvnsearch zoo list` shows the zoo"
    )


def classes_of(genome: GenomeLike, classes: int | None = None) -> int:
    """The outputs of the network that a user named: ``classes`` if they are given.

    Else those that the network of a run or a training was trained for, and 339 of what was never trained.

    Raises:
        UserError: what the network was trained for cannot be read.
    """
    if classes is not None:
        return classes
    if isinstance(genome, Genome) or genome in zoo():
        return MOMENTS_IN_TIME_CLASSES
    path = Path(genome)
    if path.is_dir():
        folder = path if (path / GENOME).is_file() else winner_folder(path)
    else:
        folder = path.parent
        if path.name != GENOME:
            return MOMENTS_IN_TIME_CLASSES
    card = folder / CARD
    return len(load_card(card).classes) if card.is_file() else MOMENTS_IN_TIME_CLASSES


def grouped_by_classes(classes: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
    """Each number of classes, and the places of the networks that have so many."""
    for count in dict.fromkeys(classes):
        yield count, [place for place, found in enumerate(classes) if found == count]


def name_of(genome: GenomeLike) -> str:
    """What the user named it by; a genome that has no name is known by its identity."""
    return genome_id(genome) if isinstance(genome, Genome) else str(genome)
