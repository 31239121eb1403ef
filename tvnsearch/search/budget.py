"""The budget: what a network may cost on the device, and what it may count (paper, equation 1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from tvnsearch.errors import UserError
from tvnsearch.genome.kinds import WITH_NORM
from tvnsearch.genome.trace import Trace

CountedRejection = Literal["rejected_params", "rejected_gflops", "rejected_mb"]

BYTES_PER_WEIGHT = {"float32": 4, "bfloat16": 2}


LARGEST = 2**53
"""Beyond any network, and the largest whole number that every reader of a journal takes as it is."""


class Budget(Struct, frozen=True, forbid_unknown_fields=True):
    """Limits on the latency on the device and, where given, on what counting a network gives.

    ``max_ms`` is of the device that is measured; ``others_max_ms`` of others by name, which are only
    predicted. ``max_params`` bounds the learnable parameters, ``max_gflops`` the floating-point operations of
    one clip (two a multiply-accumulate, in billions), ``max_mb`` the weights as deployed in ``precision`` (in
    10^6 bytes).
    """

    max_ms: float
    max_params: int | None = None
    max_gflops: float | None = None
    max_mb: float | None = None
    precision: Literal["float32", "bfloat16"] = "float32"
    others_max_ms: dict[str, float] = {}

    def __post_init__(self) -> None:
        counted = [(limit.option, limit.maximum, limit.unit) for limit in counted_limits(self)]
        predicted = [(f"--max-ms {name}=", max_ms, "ms") for name, max_ms in self.others_max_ms.items()]
        for option, maximum, unit in [("--max-ms", self.max_ms, "ms"), *predicted, *counted]:
            if not maximum > 0:
                raise UserError(f"expected a budget over 0 {unit}, but got {maximum}; give a larger {option}")
            if not maximum <= LARGEST:
                raise UserError(
                    f"expected a budget that ends, but got {maximum} {unit}; give a smaller {option}"
                )


class CountedLimit(Struct, frozen=True):
    """A limit that walking a genome decides, without a device; ``option`` is its name on the command line."""

    rejection: CountedRejection
    option: str
    maximum: float
    unit: str
    count: Callable[[Trace], float]


def counted_limits(budget: Budget) -> list[CountedLimit]:
    """The limits of a budget that can be counted, as far as they are given."""
    limits: list[tuple[CountedRejection, str, float | None, str, Callable[[Trace], float]]] = [
        ("rejected_params", "--max-params", budget.max_params, "parameters", lambda traced: traced.params),
        ("rejected_gflops", "--max-gflops", budget.max_gflops, "GFLOPs", gflops),
        ("rejected_mb", "--max-mb", budget.max_mb, "MB", lambda traced: weights_mb(traced, budget.precision)),
    ]
    return [
        CountedLimit(rejection, option, maximum, unit, count)
        for rejection, option, maximum, unit, count in limits
        if maximum is not None
    ]


def given_options(budget: Budget) -> str:
    """The limits that were given, as a user would name them: ``--max-params or --max-ms``."""
    return " or ".join([*[limit.option for limit in counted_limits(budget)], "--max-ms"])


def written_limit(option: str, maximum: float) -> str:
    """A limit as a user would give it: ``--max-params 12,000,000``, ``--max-ms nvidia-h200=10``."""
    value = f"{maximum:,}" if isinstance(maximum, int) else f"{maximum:g}"
    return option + value if option.endswith("=") else f"{option} {value}"


def written_cost(cost: float, unit: str) -> str:
    """A cost for people: whole counts in full, others to three digits."""
    return f"{cost:,} {unit}" if isinstance(cost, int) else f"{cost:.3g} {unit}"


def gflops(traced: Trace) -> float:
    """Floating-point operations of one clip, in billions: two a multiply-accumulate."""
    return 2 * traced.macs / 1e9


def weights_mb(traced: Trace, precision: str) -> float:
    """The weights as deployed, in 10^6 bytes: a folded BatchNorm leaves one bias of its two parameters."""
    folded = sum(call.out_shape.channels for call in traced.calls if call.type in WITH_NORM)
    # Channel-time learning has three more BatchNorms inside.
    folded += sum(
        call.in_shape.channels + 2 * call.hidden
        for call in traced.calls
        if call.type == "channel_time_learning"
    )
    return (traced.params - folded) * BYTES_PER_WEIGHT[precision] / 1e6
