"""The genome: a tiny video network as data. Imports no torch."""

from tvnsearch.genome.calls import LayerCall, Shape
from tvnsearch.genome.genome import (
    Block,
    Genome,
    InputSpec,
    genome_from_json,
    genome_to_json,
    load_genome,
    square_input,
)
from tvnsearch.genome.identity import genome_id
from tvnsearch.genome.trace import Trace, trace

__all__ = [
    "Block",
    "Genome",
    "InputSpec",
    "LayerCall",
    "Shape",
    "Trace",
    "genome_from_json",
    "genome_id",
    "genome_to_json",
    "load_genome",
    "square_input",
    "trace",
]
