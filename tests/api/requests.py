"""What the tests of commands ask a search for."""

from __future__ import annotations

from tvnsearch.api.request import Request

REQUEST = Request(
    max_ms=0.5,
    max_params=None,
    data=None,
    minutes=None,
    population=12,
    tournament=4,
    trainings=60,
    iterations=100,
    space="digits",
    device="cpu",
    threads=1,
    backend="eager",
    seed=3,
    db=None,
)
