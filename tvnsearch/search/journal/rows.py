"""Candidates as rows of the journal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from tvnsearch.devices.measurement import Measurement
from tvnsearch.genome.genome import Genome
from tvnsearch.search.protocols import LatencyEstimate
from tvnsearch.search.records import Candidate, Verdict


def to_json(record: Struct) -> str:
    """A record as compact JSON."""
    return msgspec.json.encode(record).decode()


def candidate_to_row(candidate: Candidate) -> tuple[Any, ...]:
    """The row of table ``candidates``; a genome rejected before it had an identity is left out of it."""
    verdict = candidate.verdict
    return (
        candidate.number,
        candidate.parent,
        verdict.kind,
        verdict.reason,
        verdict.params,
        verdict.macs,
        None if verdict.estimate is None else to_json(verdict.estimate),
        candidate.genome_id or None,
        to_json(candidate.genome) if candidate.genome_id else None,
        None if verdict.measurement is None else to_json(verdict.measurement),
        msgspec.json.encode(verdict.on_others).decode() if verdict.on_others else None,
        candidate.predicted_fitness,
    )


def candidate_from_row(row: Sequence[Any]) -> Candidate:
    """The candidate in a row of table ``candidates``, whose genome was kept; further columns are ignored."""
    number, parent, kind, reason, params, macs, estimate, genome_id, genome, measurement, elsewhere = row[:11]
    predicted_fitness = row[11]
    return Candidate(
        number=number,
        parent=parent,
        genome=msgspec.json.decode(genome, type=Genome),
        genome_id=genome_id,
        predicted_fitness=predicted_fitness,
        verdict=Verdict(
            kind=kind,
            params=params,
            macs=macs,
            estimate=None if estimate is None else msgspec.json.decode(estimate, type=LatencyEstimate),
            measurement=None if measurement is None else msgspec.json.decode(measurement, type=Measurement),
            reason=reason,
            on_others={}
            if elsewhere is None
            else msgspec.json.decode(elsewhere, type=dict[str, LatencyEstimate]),
        ),
    )
