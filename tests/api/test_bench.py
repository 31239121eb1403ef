from __future__ import annotations

import pytest

import tvnsearch
from tvnsearch.genome import Block, Genome, square_input
from tvnsearch.genome.layers import SpatialConv, TemporalConv

GENOME = Genome(square_input(16, 2), (Block((SpatialConv(8, 3, 2, "relu"), TemporalConv(8, 2))),))


def test_runtimes_are_compared_and_what_cannot_run_is_told() -> None:
    benched = tvnsearch.bench(GENOME, ["eager", "onnxruntime"], classes=3, max_seconds=0.6)
    rows = {(row.backend, row.precision): row for row in benched.runtimes}
    assert rows["eager", "float32"].to_eager == 1
    assert ("onnxruntime", "int8") in rows
    assert [row.latency_ms for row in benched.runtimes] == sorted(row.latency_ms for row in benched.runtimes)
    quickest = benched.runtimes[0]
    assert quickest.gflops_a_second == pytest.approx(benched.gflops / quickest.latency_ms * 1e3)


def test_an_unknown_backend_is_one_sentence() -> None:
    with pytest.raises(tvnsearch.UserError, match=r"expected a backend of eager, .*, but 'onxruntime' came"):
        tvnsearch.bench(GENOME, ["onxruntime"])
    with pytest.raises(tvnsearch.UserError, match="cuda-graph runs on cuda only"):
        tvnsearch.bench(GENOME, ["cuda-graph"])
