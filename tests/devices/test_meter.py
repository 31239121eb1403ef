from __future__ import annotations

import itertools
import random
import subprocess
import sys

import msgspec
import pytest

from tvnsearch import workers
from tvnsearch.devices import Device, Meter, fingerprint_digest, open_device
from tvnsearch.devices import meter as meter_module
from tvnsearch.devices.reference import reference_path
from tvnsearch.errors import UserError
from tvnsearch.genome import Block, Genome, genome_id, square_input, trace
from tvnsearch.genome.layers import SpatialConv
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space
from tvnsearch.network.deploy import DEPLOYMENT
from tvnsearch.workers import EnvironmentFailedError, WorkerFailedError


def network(filters, resolution=64, frames=2):
    blocks = (Block((SpatialConv(filters, 3, 2, "relu"), SpatialConv(filters, 3, 1, "relu"))),)
    return Genome(square_input(resolution, frames), blocks)


SMALL, LARGE = network(16), network(128, 128, 4)


def test_networks_are_measured_in_their_order(meter):
    small, large = meter.measure([SMALL, LARGE], max_seconds=1.0)
    assert 0 < small.latency_ms < large.latency_ms
    for result in (small, large):
        if result.samples >= 6:
            assert result.ci_low_ms <= result.latency_ms <= result.ci_high_ms
        assert result.p50_ms <= result.p90_ms <= result.p99_ms
        assert result.samples + result.disturbed >= 3
        assert result.trusted == (result.reason == "")


def test_nothing_to_measure_is_nothing_measured(meter):
    assert meter.measure([]) == []


PREPARED = """
import sys
from tvnsearch.devices import Device
from tvnsearch.devices.backends import load_backend
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space
from tvnsearch.network.synthetic import synthetic_network
import random

network = synthetic_network(sample_genome(load_space("paper"), random.Random(0)), 10)
load_backend("eager").prepare(network, Device("cpu"))
print("torch._dynamo" in sys.modules)
"""


def test_a_process_that_measures_does_not_load_a_compiler_first():
    """That takes longer than to measure: a promise starts up to six of them."""
    told = subprocess.run([sys.executable, "-c", PREPARED], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False"]


def test_a_process_leaves_one_copy_however_often_it_measures():
    with Meter(open_device("cpu"), classes=10) as one:
        path = reference_path(one.digest)
        one.measure([SMALL], max_seconds=0.2)
        first = msgspec.json.decode(path.read_bytes())["copies"]
        one.measure([SMALL], max_seconds=0.2)
        again = msgspec.json.decode(path.read_bytes())["copies"]
    assert len(again) == len(first)
    assert again[-1]["process"] == first[-1]["process"]
    assert again[-1]["read_at"] > first[-1]["read_at"]


def test_a_profile_has_a_latency_for_each_layer_call(meter):
    rng = random.Random(5)
    for _ in range(3):
        genome = sample_genome(load_space("digits"), rng)
        profile = meter.profile(genome, max_seconds=1.0)
        assert len(profile.latencies_ms) == len(trace(genome, 10).calls) == len(profile.spreads_ms)
        assert all(latency_ms >= 0 for latency_ms in profile.latencies_ms)
        assert profile.passes + profile.disturbed >= 1
        # no claim about speed: only that the layers and the network are the same kind of figure
        assert 0 < sum(profile.latencies_ms) <= 2 * profile.network.latency_ms


def test_layers_timed_in_turns_with_the_network_add_up_to_it(meter):
    genome = network(64, 16, 2)
    timed = meter.time_layers(genome, max_seconds=1.5)
    assert len(timed.latencies_ms) == len(trace(genome, 10).calls)
    assert timed.passes + timed.disturbed == timed.network.samples + timed.network.disturbed >= 1
    assert 0.5 * timed.network.latency_ms < sum(timed.latencies_ms) < 1.5 * timed.network.latency_ms


def test_the_heavier_layer_is_the_slower_one(meter):
    blocks = (Block((SpatialConv(64, 3, 2), SpatialConv(64, 8), SpatialConv(64, 1))),)
    profile = meter.profile(Genome(square_input(128, 4), blocks), max_seconds=1.0)
    assert profile.latencies_ms[1] == max(profile.latencies_ms)


def test_the_fingerprint_is_that_of_the_worker(meter):
    fingerprint = meter.fingerprint
    assert fingerprint["device"] == "cpu"
    assert fingerprint["threads"] == "1"
    assert fingerprint["allocator"] == "pinned"
    assert fingerprint["deployment"] == str(DEPLOYMENT)
    assert {"processor", "cores", "torch", "onednn", "governor", "backend", "precision", "batch"} <= set(
        fingerprint
    )
    assert meter.digest == fingerprint_digest(fingerprint)


def test_a_network_beyond_all_memory_is_refused_before_it_is_built(meter):
    huge = network(16384, 4096, 1024)
    with pytest.raises(UserError, match=f"genome {genome_id(huge)} needs about .* GB") as error:
        meter.measure([SMALL, huge])
    assert "\n" not in str(error.value)
    assert meter.measure([SMALL], max_seconds=0.2)[0].latency_ms > 0


@pytest.fixture
def dying(monkeypatch, tmp_path):
    monkeypatch.setattr(meter_module, "TASK", "tests.devices.dying_task")
    left = tmp_path / "deaths"
    monkeypatch.setenv("DEATHS_LEFT", str(left))

    def start(deaths):
        left.write_text(str(deaths))
        return Meter(Device("cpu"))

    return start


def test_a_worker_that_dies_once_is_started_again(dying):
    with dying(1) as meter:
        assert meter.fingerprint == {"device": "cpu"}


def test_a_network_that_kills_its_worker_twice_is_named_and_the_meter_stays_usable(dying):
    with dying(2) as meter:
        with pytest.raises(UserError, match=f"expected to profile {genome_id(SMALL)} on cpu") as error:
            meter.profile(SMALL)
        assert "SIGKILL" in str(error.value)
        assert "memory" not in str(error.value)
        assert meter.fingerprint == {"device": "cpu"}


def test_lack_of_memory_is_said_where_the_kernel_counted_a_kill_for_it(dying, monkeypatch):
    kills = itertools.count()
    monkeypatch.setattr(workers, "memory_kills", lambda: next(kills))
    with dying(2) as meter, pytest.raises(UserError, match="free some memory"):
        meter.profile(SMALL)


def test_a_worker_that_cannot_start_ends_with_its_last_words(monkeypatch):
    monkeypatch.setattr(meter_module, "TASK", "tests.no_such_worker")
    with Meter(Device("cpu")) as meter, pytest.raises(EnvironmentFailedError) as error:
        meter.digest  # noqa: B018 - it is asked for
    assert "expected to ask for the fingerprint on cpu" in str(error.value)
    assert "No module named tests.no_such_worker" in str(error.value)
    assert "memory" not in str(error.value)


def test_a_defect_names_the_network(dying):
    with dying(0) as meter, pytest.raises(WorkerFailedError, match=f"{genome_id(SMALL)}: ZeroDivisionError"):
        meter.profile(SMALL)


def test_several_threads_are_measured_too():
    try:
        device = open_device("cpu", threads=2)
    except UserError:
        pytest.skip("this machine has one core")
    with Meter(device) as meter:
        assert meter.fingerprint["threads"] == "2"
        profile = meter.profile(LARGE, max_seconds=0.5)
        assert sum(profile.latencies_ms) > 0


@pytest.mark.parametrize(("precision", "batch"), [("bfloat16", 1), ("float32", 3)])
def test_dtype_and_batch_are_run_and_are_part_of_the_device(meter, precision, batch):
    with Meter(open_device("cpu", precision=precision, batch=batch), classes=10) as other:
        assert other.digest != meter.digest
        assert (other.fingerprint["precision"], other.fingerprint["batch"]) == (precision, str(batch))
        assert other.measure([SMALL], max_seconds=0.3)[0].latency_ms > 0
        assert other.profile(SMALL, max_seconds=0.3).passes >= 0
