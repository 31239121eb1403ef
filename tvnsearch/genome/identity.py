"""Who a genome is: a stable hash of what it executes, not of how it is written."""

from __future__ import annotations

from hashlib import blake2b

from tvnsearch.genome.calls import head_call
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.trace import trace_blocks


def genome_id(genome: Genome) -> str:
    """Sixteen hex digits, equal for two genomes that execute the same layer calls on the same clips.

    Block boundaries count only where a shortcut spans them; the frame stride counts only with several frames.
    """
    spec = genome.input
    frame_stride = spec.frame_stride if spec.frames > 1 else 1
    blocks = trace_blocks(genome)
    work = b"".join([block.key for block in blocks])
    head = head_call(blocks[-1].out_shape, 1, genome.head).mode.encode()
    clips = f"{spec.size}x{spec.frames}/{frame_stride} "
    return blake2b(clips.encode() + work + head, digest_size=8).hexdigest()
