"""Who a genome is: a stable hash of what it executes, not of how it is written."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b

import msgspec

from tvnsearch.genome.calls import head_call
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.trace import (
    BLOCKS_REMEMBERED,
    CAN_END_WITH_ACTIVATION,
    BlockTrace,
    Node,
    Parallel,
    trace_blocks,
)

_ENDS_WITH_ACTIVATION = CAN_END_WITH_ACTIVATION | {"activation"}

_encode_lines = msgspec.json.Encoder().encode_lines


def genome_id(genome: Genome) -> str:
    """Sixteen hex digits, equal for two genomes that execute the same layer calls on the same clips.

    Block boundaries count only where a shortcut spans them; the frame stride counts only with several frames.
    """
    spec = genome.input
    frame_stride = spec.frame_stride if spec.frames > 1 else 1
    blocks = trace_blocks(genome)
    work = b"".join([block_work(block) for block in blocks])
    head = head_call(blocks[-1].out_shape, 1, genome.head).mode.encode()
    clips = f"{spec.resolution}x{spec.frames}/{frame_stride} "
    return blake2b(clips.encode() + work + head, digest_size=8).hexdigest()


@lru_cache(maxsize=BLOCKS_REMEMBERED)
def block_work(block: BlockTrace) -> bytes:
    """What a block executes as bytes, one line a call.

    Equal bytes on equal input are equal work, in every process and for ever.
    """
    lines = {repeat: _encode_lines(_work(repeat.nodes)) for repeat in set(block.repeats)}
    return b"".join([lines[repeat] for repeat in block.repeats])


def _work(nodes: Iterable[Node]) -> list[object]:
    """What tells the work of ``nodes`` on a known input from other work.

    An activation counts by itself, whether a call ends with it or it comes alone behind the end of a block.
    """
    work: list[object] = []
    for node in nodes:
        if isinstance(node, Parallel):
            work.append([_work(branch) for branch in node.branches])
            node = node.join  # noqa: PLW2901 - what is left of the node
        kind, activation = node.type, node.activation
        if kind != "activation":
            inner = "" if kind in _ENDS_WITH_ACTIVATION else activation
            work.append(
                (
                    kind,
                    node.kernel,
                    node.stride,
                    node.kernel_frames,
                    node.stride_frames,
                    node.hidden,
                    node.mode,
                    node.out_shape[3],
                    inner,
                )
            )
        if kind in _ENDS_WITH_ACTIVATION and activation != "none":
            work.append(activation)
    return work
