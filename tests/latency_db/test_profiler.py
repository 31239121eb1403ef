from __future__ import annotations

import random
import sqlite3
import time
from collections import Counter
from itertools import pairwise

import pytest

from latency_db import profile
from latency_db.aiming import SEEN_ENOUGH, GenomeSource
from latency_db.contents import contents
from latency_db.profiler import COMPARED_NETWORKS, Errors, has_levelled_off
from latency_db.remove import remove, session_to_remove
from latency_db.rough_cost import RoughCost
from tests.latency_db.fakes import FakeEstimator, FakeLearner, FakeMeter
from tvnsearch.errors import UserError
from tvnsearch.genome import genome_id, trace
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import IntRange, SearchSpace, load_space
from tvnsearch.workers import WorkerDiedError, WorkerFailedError

DIGITS = load_space("digits")


def run(store, meter, minutes, max_ms=20.0, seed=0, reports=None, space=DIGITS, learner=None):
    on_progress = (lambda progress: None) if reports is None else reports.append
    learner = FakeLearner() if learner is None else learner
    return profile(store, meter, space, minutes, max_ms, seed, learner, on_progress)


def test_it_profiles_until_the_store_holds_the_minutes(store, digest):
    reports = []
    result = run(store, FakeMeter(), 0.01, reports=reports)
    assert result.minutes >= 0.01
    assert result == reports[-1]
    assert result.genomes == len(store.profiles(digest)) > 3
    assert result.rows == len(store.rows(digest))
    assert [report.genomes for report in reports] == sorted(report.genomes for report in reports)


def test_minutes_that_are_there_already_are_not_spent_again(store):
    first = run(store, FakeMeter(), 0.005)
    again = FakeMeter()
    held = run(store, again, 0.005)
    assert (held.rows, held.genomes, held.minutes) == (first.rows, first.genomes, first.minutes)
    assert again.count == 0


def test_a_later_run_goes_on_with_the_sequence_of_genomes(store, digest):
    run(store, FakeMeter(), 0.005)
    known = store.next_seed_index(digest, 0)
    result = run(store, FakeMeter(), 0.015)
    connection = sqlite3.connect(store.path)
    indices = [index for (index,) in connection.execute("SELECT seed_index FROM genomes ORDER BY id")]
    connection.close()
    assert indices == sorted(set(indices))
    assert indices[-1] > known
    assert result.genomes == len(indices)


def test_latencies_cover_the_range_evenly_in_their_logarithm(store, digest):
    meter = FakeMeter()

    def stop_at_80(genome):
        if meter.count == 90:
            raise KeyboardInterrupt

    meter.on_profile = stop_at_80
    with pytest.raises(KeyboardInterrupt):
        run(store, meter, 60.0, max_ms=5.0)
    latencies_ms = sorted(known.network.latency_ms for known in store.profiles(digest)[10:])
    below, above = 0.5 / 2.5, 15 * 2.5
    inside = [latency_ms for latency_ms in latencies_ms if below < latency_ms < above]
    assert len(inside) >= 0.95 * len(latencies_ms)
    thirds = [
        sum(low <= ms < high for ms in latencies_ms) for low, high in ((0, 1.5), (1.5, 4.8), (4.8, 1e9))
    ]
    assert min(thirds) >= 0.15 * len(latencies_ms)


TINY = SearchSpace(
    resolution=IntRange(16, 16),
    frames=IntRange(1, 2),
    frame_stride=IntRange(1, 1),
    blocks=IntRange(1, 2),
    repeats=IntRange(1, 1),
    layers=IntRange(1, 2),
    layer_types=("spatial_conv", "depthwise_conv"),
    filters=IntRange(4, 8),
)


@pytest.mark.parametrize("max_ms", [0.04, 0.5, 50.0])
def test_a_space_of_tiny_networks_is_profiled_whatever_the_budget(store, digest, max_ms):
    result = run(store, FakeMeter(), 0.003, max_ms=max_ms, space=TINY)
    assert result.genomes >= 3
    assert max(known.network.latency_ms for known in store.profiles(digest)) < 0.25


def test_what_was_reported_survives_an_interruption(store, digest):
    meter = FakeMeter()

    def interrupt(genome):
        if meter.count == 5:
            raise KeyboardInterrupt

    meter.on_profile = interrupt
    reports = []
    with pytest.raises(KeyboardInterrupt):
        run(store, meter, 60.0, reports=reports)
    assert reports[-1].genomes == len(store.profiles(digest)) == 5
    assert run(store, FakeMeter(), 0.01).genomes > 5


def test_earlier_networks_are_measured_again_for_the_noise_floor(store, digest):
    result = run(store, FakeMeter(), 0.02)
    rounds = result.genomes // 8
    assert rounds > 0
    assert 0 < result.noise_floor_percent <= 2  # the fake's figures differ by up to 2 %
    assert result.noise_floor_percent == store.noise_floor_percent(digest)
    assert len(store.unrepeated(digest)) == result.genomes - rounds


def test_a_network_that_cannot_run_is_passed_over(store):
    meter = FakeMeter()
    refused = []

    def refuse(genome):
        if len(refused) < 2:
            refused.append(genome)
            raise UserError("too large")

    meter.on_profile = refuse
    assert run(store, meter, 0.005).genomes > 0
    assert len(refused) == 2


@pytest.mark.parametrize("error", [WorkerFailedError("out of memory"), WorkerDiedError("killed")])
def test_a_network_that_the_runtime_fails_on_is_passed_over(store, error):
    meter = FakeMeter()
    refused = []

    def fail(genome):
        if len(refused) < 2:
            refused.append(genome)
            raise error

    meter.on_profile = fail
    assert run(store, meter, 0.005).genomes > 0
    assert len(refused) == 2


def test_a_later_run_does_not_begin_with_the_networks_that_ended_the_earlier_one(store):
    meter = FakeMeter()
    failed = []

    def fail_after_five(genome):
        if meter.count >= 5:
            failed.append(genome)
            raise WorkerFailedError("out of memory")

    meter.on_profile = fail_after_five
    for _ in range(3):  # the later ones keep nothing at all
        with pytest.raises(WorkerFailedError, match="out of memory"):
            run(store, meter, 60.0)
    assert len(failed) == len({genome_id(genome) for genome in failed}) == 9
    assert run(store, FakeMeter(), 0.01).genomes > 5


def test_a_network_that_fails_when_it_is_measured_again_is_left_at_that(store, digest):
    meter = FakeMeter()
    known, tried = set(), []

    def fail_again(genome):
        identity = genome_id(genome)
        if identity in known and len(tried) < 2:
            tried.append(identity)
            raise WorkerFailedError("out of memory")
        known.add(identity)

    meter.on_profile = fail_again
    result = run(store, meter, 0.04)
    assert len(set(tried)) == 2
    assert result.noise_floor_percent is not None


def test_what_learning_takes_is_profiling_time(store, digest):
    class SlowLearner(FakeLearner):
        def __call__(self, profiles):
            time.sleep(0.3)
            return super().__call__(profiles)

    learner = SlowLearner()
    began = time.monotonic()
    result = run(store, FakeMeter(), 0.05, learner=learner)
    assert learner.learnt
    assert 60 * result.minutes == pytest.approx(time.monotonic() - began, abs=0.4)


def test_a_device_on_which_nothing_runs_ends_the_profile(store):
    def refuse(genome):
        raise UserError("too large")

    with pytest.raises(UserError, match="too large"):
        run(store, FakeMeter(on_profile=refuse), 1.0)


def test_a_space_out_of_range_is_one_sentence(store):
    space = SearchSpace(
        resolution=IntRange(320, 320),
        frames=IntRange(128, 128),
        layer_types=("spatial_conv",),
        stride=IntRange(1, 1),
    )
    with pytest.raises(UserError, match=r"between 0\.5 and 6 ms.*say a --max-ms among those"):
        run(store, FakeMeter(), 1.0, max_ms=2.0, space=space)


def test_the_rough_cost_learns_a_device():
    rng = random.Random(2)
    cost = RoughCost()
    traces = [trace(sample_genome(DIGITS, rng), 10) for _ in range(40)]
    for network in traces[:30]:
        cost.learn(network, 0.05 * len(network.calls) + network.macs / 3e6)
    for network in traces[30:]:
        assert cost.estimate_ms(network) == pytest.approx(
            0.05 * len(network.calls) + network.macs / 3e6, rel=0.5
        )


def test_profiling_ends_when_more_networks_no_longer_help(store, digest):
    learner, meter = FakeLearner(error=0.1, gain=0.0), FakeMeter()
    reports = []
    result = run(store, meter, 60.0, reports=reports, learner=learner)
    assert result.levelled_off
    assert result.minutes < 60.0
    assert len(learner.learnt) >= 7
    assert all(later >= 1.25 * earlier for earlier, later in pairwise(learner.learnt))
    assert result.heldout_error_percent == pytest.approx(9.0, abs=1.0)  # 10 % above figures of 0 to 2 % above
    assert not any(report.levelled_off for report in reports[:-10])
    again = FakeMeter()
    assert run(store, again, 60.0).levelled_off
    assert again.count == 0
    other = run(store, again, 60.0, max_ms=10.0, learner=FakeLearner(error=0.1, gain=0.0))
    assert other.genomes > result.genomes


def test_after_a_removal_there_is_more_to_profile(store, digest):
    learner = FakeLearner(error=0.1, gain=0.0)
    run(store, FakeMeter(), 0.01)
    assert run(store, FakeMeter(), 60.0, learner=learner).levelled_off
    assert has_levelled_off(store, digest, DIGITS, 20.0)
    remove(store.path, session_to_remove(contents(store.path), 1))
    assert not has_levelled_off(store, digest, DIGITS, 20.0)
    meter = FakeMeter()
    assert run(store, meter, store.minutes(digest) + 0.005).genomes > 0
    assert meter.count > 0


def test_errors_level_off_when_half_as_much_would_have_done():
    for ratio, levelled_off in ((0.8, False), (0.88, False), (0.95, True), (1.1, True)):
        errors = Errors()
        rng = random.Random(0)
        for _ in range(COMPARED_NETWORKS):
            assert not errors.have_levelled_off
            before = rng.uniform(0, 0.4)
            errors.add(ratio * before, before)
        assert errors.have_levelled_off == levelled_off, ratio


def test_errors_that_may_hide_a_gain_have_not_levelled_off():
    errors = Errors()
    rng = random.Random(0)
    for _ in range(COMPARED_NETWORKS + 20):
        errors.add(rng.uniform(0, 0.36), rng.uniform(0, 0.4))
        assert not errors.have_levelled_off


def test_half_of_the_networks_are_near_the_budget_and_repeat_nothing(store, digest):
    meter = FakeMeter()

    def stop_at_60(genome):
        if meter.count == 60:
            raise KeyboardInterrupt

    meter.on_profile = stop_at_60
    with pytest.raises(KeyboardInterrupt):
        run(store, meter, 60.0, max_ms=4.0)
    connection = sqlite3.connect(store.path)
    indices = [index for (index,) in connection.execute("SELECT seed_index FROM genomes ORDER BY id")]
    connection.close()
    aimed = [known for known, index in zip(store.profiles(digest), indices, strict=True) if index % 2]
    assert len(aimed) == pytest.approx(len(indices) / 2, abs=2)
    assert all(block.repeats <= 2 for known in aimed for block in known.genome.blocks)
    near = [2.0 / 2.5 < known.network.latency_ms < 8.0 * 2.5 for known in aimed[8:]]
    assert sum(near) >= 0.9 * len(near)


def test_networks_are_chosen_for_what_is_in_doubt():
    shares = []
    for doubt in (lambda call: float(call.type == "non_local"), lambda call: 0.0):
        source = GenomeSource(load_space("paper"), 10, 20.0, 0)
        source.estimator = FakeEstimator(doubt=doubt)
        spent_ms = Counter()
        for index in range(1, 80, 2):
            network = trace(source.draw(index).genome, 10)
            expected_ms = source.estimator.estimate(network).latencies_ms
            for call, latency_ms in zip(network.calls, expected_ms, strict=True):
                spent_ms[call.type] += latency_ms
        shares.append(spent_ms["non_local"] / spent_ms.total())
    assert shares[0] > 2 * shares[1]


def test_layer_calls_that_were_seen_enough_teach_nothing():
    for estimator in (None, FakeEstimator()):
        source = GenomeSource(DIGITS, 10, 20.0, 0)
        source.estimator = estimator
        genome = source.draw(0).genome
        network = trace(genome, 10)
        assert source.teaches(network) > 0
        for _ in range(SEEN_ENOUGH):
            source.learn(genome, 1.0)
        assert source.teaches(network) == 0
