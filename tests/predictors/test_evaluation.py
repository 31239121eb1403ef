from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictors.evaluation import HeldOutReport, held_out_report

latencies = st.floats(0.5, 500.0)


def test_keys_are_those_that_the_commands_promise() -> None:
    assert HeldOutReport.__struct_fields__ == (
        "within_5_percent",
        "within_10_percent",
        "mape_percent",
        "rmspe_percent",
        "spearman",
        "kendall",
        "networks",
    )


@given(st.lists(st.tuples(latencies, latencies), min_size=2, max_size=40))
def test_agrees_with_a_plain_count(pairs: list[tuple[float, float]]) -> None:
    report = held_out_report(*np.array(pairs).T)
    errors = [abs(predicted / measured - 1) for predicted, measured in pairs]
    assert report.within_5_percent == sum(error <= 0.05 for error in errors) / len(errors)
    assert report.within_10_percent == sum(error <= 0.10 for error in errors) / len(errors)
    assert report.mape_percent == pytest.approx(100 * sum(errors) / len(errors))
    assert report.rmspe_percent == pytest.approx(100 * math.sqrt(sum(e * e for e in errors) / len(errors)))
    assert report.networks == len(pairs)


def test_ranks() -> None:
    measured = np.array([1.0, 2.0, 3.0, 4.0])
    in_order = held_out_report(np.array([10.0, 20.0, 30.0, 40.0]), measured)
    assert (in_order.spearman, in_order.kendall) == (1.0, 1.0)
    one_swap = held_out_report(np.array([1.0, 3.0, 2.0, 4.0]), measured)
    assert one_swap.spearman == pytest.approx(0.8)
    assert one_swap.kendall == pytest.approx(4 / 6)


def test_nothing_to_rank() -> None:
    report = held_out_report(np.array([2.0, 2.0, 2.0]), np.array([1.0, 2.0, 3.0]))
    assert (report.spearman, report.kendall) == (0.0, 0.0)
