"""A Ray cluster of several nodes on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[3]

SMALL = {"object_store_memory": 80 * 2**20, "include_dashboard": False}
"""What a node should be content with."""


@contextmanager
def cluster(nodes: int, head_cores: int = 0, head_gpus: int = 0, **head: Any) -> Iterator[Any]:
    """A head, where the driver is, and ``nodes`` nodes with one core each; GPUs are only said to be there."""
    pytest.importorskip("ray", reason="Ray is not installed; `pip install 'tvnsearch[ray]'` to test it")
    import ray
    from ray.cluster_utils import Cluster

    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(REPOSITORY)  # as a cluster's machines have the package installed
    started = Cluster(
        initialize_head=True, head_node_args={"num_cpus": head_cores, "num_gpus": head_gpus, **SMALL, **head}
    )
    try:
        for _ in range(nodes):
            started.add_node(num_cpus=1, **SMALL)
        started.wait_for_nodes()
        yield started
    finally:
        ray.shutdown()
        started.shutdown()
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
