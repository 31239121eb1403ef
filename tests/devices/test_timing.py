from __future__ import annotations

import itertools
import random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from tvnsearch.devices.memory_gauge import MemoryGauge
from tvnsearch.devices.timing import (
    Interval,
    Plan,
    Sample,
    Yardstick,
    is_disturbed,
    measure_in_rounds,
    median_interval,
    median_rank,
    quantile,
    summarise,
    warm_up,
    was_interrupted,
)

MS = 1_000_000
PLAN = Plan(max_seconds=10)


class Machine:
    """Its time passes only when something runs; ``slowdown`` and ``preempted`` are what disturbs it."""

    def __init__(self, slowdown=lambda now_s: 1.0, preempted=lambda now_s: False):
        self.now_s = 0.0
        self.slowdown, self.preempted = slowdown, preempted
        self.log = []

    def now(self):
        return self.now_s

    def runner(self, name, wall_ms, jitter=0.0, seed=0):
        rng = random.Random(seed)

        def run():
            preempted = self.preempted(self.now_s)
            cpu_ms = wall_ms * self.slowdown(self.now_s) * (1 + rng.uniform(0, jitter))
            wall_ns = int((cpu_ms + (4 if preempted else 0)) * MS)
            self.now_s += wall_ns / 1e9
            self.log.append(name)
            return Interval(wall_ns, int(cpu_ms * MS), int(preempted))

        return run

    def yardstick(self, known_best_ns=None):
        return Yardstick(self.runner("yardstick", 1.0), known_best_ns)


def quiet(wall_ms=10.0, cpu_ms=None, preemptions=0):
    return Interval(int(wall_ms * MS), int((wall_ms if cpu_ms is None else cpu_ms) * MS), preemptions)


def test_interruptions_are_seen_by_either_clock():
    assert not was_interrupted(quiet())
    assert was_interrupted(quiet(preemptions=1))
    assert was_interrupted(quiet(wall_ms=10, cpu_ms=9.5))
    assert not was_interrupted(quiet(wall_ms=10, cpu_ms=9.9))
    assert not was_interrupted(quiet(wall_ms=0.1, cpu_ms=0.09))  # the clocks' own cost
    assert not was_interrupted(Interval(10 * MS, 0, 0))  # several threads: processor time says nothing


def test_a_slow_machine_disturbs_a_sample_whose_own_clocks_saw_nothing():
    yardstick = Machine().yardstick()
    assert not is_disturbed(Sample(quiet(), int(1.1 * MS)), yardstick)
    assert is_disturbed(Sample(quiet(), int(1.2 * MS)), yardstick)


def test_neighbours_share_a_yardstick_reading_unless_other_work_came_between():
    machine = Machine()
    yardstick = machine.yardstick()
    run = machine.runner("a", 2)
    machine.log.clear()
    yardstick.around(run)
    yardstick.around(run)
    assert [name for name, _ in itertools.groupby(machine.log)] == [
        "yardstick",
        "a",
        "yardstick",
        "a",
        "yardstick",
    ]
    once = machine.log.count("yardstick")
    yardstick.forget()
    yardstick.around(run)
    assert machine.log.count("yardstick") - once == 2 * once / 3


@pytest.mark.parametrize("count", [*range(1, 60), 200, 1500])
def test_the_rank_of_the_interval_is_the_binomial_one(count):
    rank = median_rank(count)
    if rank:
        assert 2 * binom.cdf(rank - 1, count, 0.5) <= 0.05 + 1e-12
    assert 2 * binom.cdf(rank, count, 0.5) > 0.05
    assert bool(rank) == (count >= 6)


def test_the_interval_holds_the_true_median_as_often_as_it_says():
    rng = random.Random(1)
    held = 0
    for _ in range(2000):
        low, _, high = median_interval([rng.expovariate(1) for _ in range(25)])
        held += low <= 0.6931 <= high
    assert 0.94 < held / 2000 < 0.975


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=80))
def test_the_interval_brackets_the_median(values):
    low, middle, high = median_interval(values)
    assert min(values) <= low <= middle <= high <= max(values)
    assert middle == median(values)
    assert quantile(values, 0.5) == pytest.approx(middle)
    assert quantile(values, 0.0) == min(values)
    assert quantile(values, 1.0) == max(values)


def test_a_steady_machine_gives_a_trusted_figure_soon():
    machine = Machine()
    (result,) = measure_in_rounds(
        [machine.runner("a", 20, jitter=0.01)], machine.yardstick(), PLAN, machine.now
    )
    assert result.trusted
    assert result.reason == ""
    assert result.latency_ms == pytest.approx(20.1, rel=0.01)
    assert result.ci_low_ms <= result.latency_ms <= result.ci_high_ms
    assert result.disturbed == 0
    assert machine.now_s < 1


def test_memory_is_gauged_now_and_then_between_samples():
    machine = Machine()
    gauge = MemoryGauge(machine.runner("copy", 2), machine.now)
    plan = Plan(max_seconds=10, min_seconds=2)
    (result,) = measure_in_rounds(
        [machine.runner("a", 20)], machine.yardstick(), plan, machine.now, gauge.read_if_due
    )
    assert gauge.copy_ns == 2 * MS
    assert 15 <= machine.log.count("copy") <= 21
    assert result.latency_ms == pytest.approx(20)
    after = [later for one, later in itertools.pairwise(machine.log) if one == "copy"]
    assert set(after) == {"yardstick"}  # a sample's neighbours are yardstick readings, as ever


def test_samples_are_spread_over_the_time_asked_for():
    machine = Machine()
    plan = Plan(max_seconds=10, min_seconds=2)
    (result,) = measure_in_rounds([machine.runner("a", 20)], machine.yardstick(), plan, machine.now)
    assert result.samples > 80
    assert 2 <= machine.now_s < 2.2


def test_thousands_of_samples_are_not_gone_through_after_each():
    machine = Machine()
    yardstick, gone_through = machine.yardstick(), []
    is_off = yardstick.is_off
    yardstick.is_off = lambda reading_ns: gone_through.append(reading_ns) or is_off(reading_ns)
    run = machine.runner("a", 0.5, jitter=1.0)
    (result,) = measure_in_rounds([run], yardstick, Plan(max_seconds=1, half_width_percent=0.01), machine.now)
    assert result.samples + result.disturbed > 200
    assert len(gone_through) < 25 * (result.samples + result.disturbed)


def test_candidates_take_turns():
    machine = Machine()
    yardstick = machine.yardstick()
    machine.log.clear()
    runs = [machine.runner(name, wall_ms) for name, wall_ms in (("a", 3), ("b", 30), ("c", 9))]
    results = measure_in_rounds(runs, yardstick, PLAN, machine.now)
    assert [round(result.latency_ms) for result in results] == [3, 30, 9]
    assert "".join(name for name in machine.log if name != "yardstick") == "abc" * 9


def test_a_settled_candidate_sits_out():
    machine = Machine()
    runs = [machine.runner("steady", 5), machine.runner("jittery", 5, jitter=0.2)]
    measure_in_rounds(runs, machine.yardstick(), PLAN, machine.now)
    assert machine.log.count("steady") == 9
    assert machine.log.count("jittery") > 50


def test_disturbed_samples_are_counted_and_taken_again():
    machine = Machine(
        slowdown=lambda now_s: 1.5 if 0.1 <= now_s < 0.3 else 1.0,
        preempted=lambda now_s: int(now_s * 1000) % 7 == 0,
    )
    (result,) = measure_in_rounds([machine.runner("a", 10)], machine.yardstick(), PLAN, machine.now)
    assert result.trusted
    assert result.latency_ms == pytest.approx(10)
    assert result.disturbed >= 10
    assert result.p90_ms >= 14  # what a user saw is not hidden


def test_a_machine_that_gets_faster_takes_back_what_it_had_trusted():
    machine = Machine(slowdown=lambda now_s: 1.3 if now_s < 0.4 else 1.0)
    plan = Plan(max_seconds=10, min_seconds=1)
    (result,) = measure_in_rounds([machine.runner("a", 10)], machine.yardstick(), plan, machine.now)
    assert result.trusted
    assert result.latency_ms == pytest.approx(10)


def test_a_hopeless_machine_ends_in_time_with_a_reason_and_a_figure():
    machine = Machine(preempted=lambda now_s: now_s > 0.05)
    plan = Plan(max_seconds=3)
    (result,) = measure_in_rounds([machine.runner("a", 10)], machine.yardstick(), plan, machine.now)
    assert not result.trusted
    assert "undisturbed" in result.reason
    assert 10 <= result.latency_ms <= 14
    assert machine.now_s < 3.2


def test_a_figure_that_stays_too_wide_says_how_wide():
    machine = Machine()
    plan = Plan(max_seconds=1)
    (result,) = measure_in_rounds(
        [machine.runner("a", 10, jitter=1.0)], machine.yardstick(), plan, machine.now
    )
    assert not result.trusted
    assert "1 % was asked for" in result.reason
    assert result.ci_high_ms / result.ci_low_ms > 1.02


@pytest.mark.parametrize("kept", range(13))
def test_below_six_undisturbed_samples_there_is_no_interval(kept):
    yardstick = Machine().yardstick()
    samples = [Sample(quiet(10 + place), MS) for place in range(kept)]
    samples += [Sample(quiet(30, preemptions=1), MS) for _ in range(40)]
    result = summarise(samples, yardstick, PLAN)
    assert (result.samples, result.disturbed) == (kept, 40)
    assert (result.ci_low_ms is None, result.ci_high_ms is None) == (kept < 6, kept < 6)
    assert not result.keeps(9.0)
    assert result.keeps(10 + kept) == (kept >= 6)
    assert result.decides(20.0) is None
    assert result.decides(1000.0) is (True if kept >= 6 else None)  # far below, but not known well


def test_what_is_far_below_the_limit_ends_at_once_and_what_is_near_does_not():
    def measured(limit_ms):
        machine = Machine()
        plan = Plan(max_seconds=10, min_seconds=1.0, limit_ms=limit_ms)
        (result,) = measure_in_rounds(
            [machine.runner("a", 2, jitter=0.08)], machine.yardstick(), plan, machine.now
        )
        return result, machine.now_s

    far, far_s = measured(30.0)
    near, near_s = measured(2.2)
    alone, alone_s = measured(None)
    assert far.trusted
    assert far.keeps(30.0)
    assert far.latency_ms == pytest.approx(2.08, rel=0.05)
    assert far_s < 0.2
    assert near_s == alone_s >= 1
    assert near == alone


def test_a_slow_phase_does_not_end_a_measurement_that_is_far_below_the_limit():
    machine = Machine(preempted=lambda now_s: now_s < 1.0)
    plan = Plan(max_seconds=10, min_seconds=1.0, limit_ms=300.0)
    (result,) = measure_in_rounds([machine.runner("a", 2)], machine.yardstick(), plan, machine.now)
    assert result.trusted
    assert machine.now_s > 1
    assert result.latency_ms == pytest.approx(2)


def test_a_network_that_takes_long_on_a_quiet_machine_is_not_said_to_be_disturbed():
    machine = Machine()
    plan = Plan(max_seconds=1.5)
    (result,) = measure_in_rounds([machine.runner("slow", 600)], machine.yardstick(), plan, machine.now)
    assert (result.samples, result.disturbed, result.trusted) == (3, 0, False)
    assert result.reason == "only 3 passes fitted into the time, 9 are needed; measure longer (--max-seconds)"


def test_every_candidate_is_sampled_even_when_the_time_is_over():
    machine = Machine()
    runs = [machine.runner(str(number), 500) for number in range(4)]
    results = measure_in_rounds(runs, machine.yardstick(), Plan(max_seconds=0.1), machine.now)
    assert [result.latency_ms for result in results] == [500] * 4
    assert not any(result.trusted for result in results)


def test_without_an_undisturbed_sample_the_quickest_quarter_counts():
    yardstick = Machine().yardstick()
    samples = [Sample(quiet(2 * cpu_ms, cpu_ms, preemptions=1), MS) for cpu_ms in range(10, 30)]
    assert summarise(samples, yardstick, PLAN).latency_ms == 12
    assert summarise(samples, yardstick, PLAN).p50_ms == 39


@given(st.integers(0, 2**32), st.integers(1, 4))
def test_measuring_always_ends_and_never_lies_about_its_samples(seed, candidates):
    rng = random.Random(seed)
    slow = [rng.choice([1.0, 1.0, 1.4]) for _ in range(50)]
    machine = Machine(
        slowdown=lambda now_s: slow[int(now_s * 10) % 50],
        preempted=lambda now_s: rng.random() < 0.2,
    )
    yardstick = machine.yardstick()
    runs = [machine.runner(str(number), rng.uniform(5, 50), 0.03, number) for number in range(candidates)]
    machine.log.clear()
    results = measure_in_rounds(runs, yardstick, Plan(max_seconds=2), machine.now)
    for number, result in enumerate(results):
        assert result.samples + result.disturbed == machine.log.count(str(number))
        assert result.trusted == (result.reason == "")
        assert not result.trusted or result.ci_high_ms <= result.latency_ms * 1.01 + 1e-9


def test_warming_up_ends_when_runs_stop_getting_faster():
    walls = iter([100, 50, 30, 30, 29.9, 30, 1])
    warm_up(lambda: quiet(next(walls)), max_seconds=10, now=lambda: 0.0)
    assert next(walls) == 1


def test_warming_up_ends_with_its_time():
    machine = Machine(slowdown=lambda now_s: 1 / (1 + now_s))
    warm_up(machine.runner("a", 400), max_seconds=1, now=machine.now)
    assert 1 <= machine.now_s < 1.5


def test_a_machine_that_was_slow_from_the_start_is_held_to_what_it_did_before():
    machine = Machine(slowdown=lambda now_s: 2.0)
    believing, remembering = machine.yardstick(), machine.yardstick(known_best_ns=MS)
    results = [
        measure_in_rounds([machine.runner("a", 10)], yardstick, Plan(max_seconds=2), machine.now)[0]
        for yardstick in (believing, remembering)
    ]
    assert results[0].trusted
    assert not results[1].trusted
    assert "the machine ran at 50 % of its best speed" in results[1].reason


def test_one_lucky_reading_is_not_what_a_machine_is_held_to():
    machine = Machine(slowdown=lambda now_s: 0.5 if now_s == 0 else 1.0)
    yardstick = machine.yardstick()
    for _ in range(20):
        yardstick.around(lambda: None)
    assert yardstick.usual_best_ns == MS
