"""One network in all runtimes that are here, in turns: which runs it quickest."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from msgspec import Struct
from msgspec.structs import asdict

from tvnsearch.api.genomes import GenomeLike, classes_of, name_of, resolve_genome
from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.devices.backends import known_backends
from tvnsearch.devices.device import Device, open_device
from tvnsearch.devices.measurement import Measurement
from tvnsearch.devices.meter import Meter
from tvnsearch.devices.processes import HALF_WIDTH_PERCENT, PROCESSES, combined
from tvnsearch.devices.remote.place import whereabouts
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.trace import trace

ALL = "all"
REFERENCE = "eager"


class BenchedRuntime(Measurement, frozen=True, kw_only=True):
    """A network's measurement in one backend and precision.

    ``to_eager`` is its latency over that of eager float32 in the same round, the median over rounds; None
    where eager was not measured. ``gflops_a_second`` is what it multiplies and adds.
    """

    backend: str
    precision: str
    to_eager: float | None
    gflops_a_second: float


class Bench(Struct, frozen=True):
    """A network in several runtimes, the quickest first, and why others could not run it."""

    name: str
    classes: int
    gflops: float
    runtimes: list[BenchedRuntime]
    left_out: dict[str, str]


def bench(
    genome: GenomeLike,
    backends: Sequence[str] = (ALL,),
    *,
    device: str = "cpu",
    threads: int = 1,
    batch: int = 1,
    classes: int | None = None,
    max_seconds: float = 10.0,
    watch: Watch = SILENT,
) -> Bench:
    """Measure one network in ``backends``, each in every precision that it has on ``device``, in turns.

    Each runtime has a fresh process in each of three rounds, ``max_seconds`` in all. What cannot run here is
    left out and told.

    Raises:
        UserError: there is no such genome, device or backend, or none of them can run it.
    """
    found, outputs = resolve_genome(genome), classes_of(genome, classes)
    devices, left_out = _devices(backends, device, threads, batch)
    rounds: dict[Device, list[Measurement]] = {opened: [] for opened in devices}
    for done in range(PROCESSES):
        for place, opened in enumerate(devices):
            watch.progress(
                "bench", (done * len(devices) + place) / (PROCESSES * len(devices)), _named(opened)
            )
            if _named(opened) in left_out:
                continue
            try:
                rounds[opened].append(_measured(opened, found, outputs, max_seconds / PROCESSES))
            except UserError as error:
                left_out[_named(opened)] = str(error)
    watch.progress("bench", 1.0, "")
    whole = {opened: taken for opened, taken in rounds.items() if len(taken) == PROCESSES}
    if not whole:
        raise UserError(
            "expected a backend that runs this network here, but none does: "
            + "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        )
    gflops = 2 * trace(found, outputs).macs * batch / 1e9
    runtimes = [_row(opened, taken, whole, gflops) for opened, taken in whole.items()]
    runtimes.sort(key=lambda row: row.latency_ms)
    return Bench(name_of(genome), outputs, gflops, runtimes, left_out)


def _devices(
    backends: Sequence[str], device: str, threads: int, batch: int
) -> tuple[list[Device], dict[str, str]]:
    """The runtimes asked for that can be opened, and why others cannot."""
    known = known_backends()
    processor = whereabouts(device).processor
    names = list(known) if ALL in backends else list(backends)
    opened: list[Device] = []
    left_out: dict[str, str] = {}
    for name in names:
        precisions = known[name].precisions.get(processor, ()) if name in known else ("float32",)
        for precision in precisions:
            try:
                opened.append(open_device(device, threads, name, precision, batch))
            except UserError as error:
                if ALL not in backends:
                    raise
                left_out[f"{name} {precision}"] = str(error)
        if not precisions and ALL not in backends:
            open_device(device, threads, name)  # says where it runs
    return opened, left_out


def _measured(device: Device, genome: Genome, classes: int, max_seconds: float) -> Measurement:
    with Meter(device, classes) as meter:
        return meter.measure([genome], max_seconds, HALF_WIDTH_PERCENT)[0]


def _row(
    device: Device, taken: Sequence[Measurement], rounds: dict[Device, list[Measurement]], gflops: float
) -> BenchedRuntime:
    measured = combined(taken)
    eager = next(
        (rounds[other] for other in rounds if (other.backend, other.precision) == (REFERENCE, "float32")),
        None,
    )
    return BenchedRuntime(
        **asdict(measured),
        backend=device.backend,
        precision=device.precision,
        to_eager=None
        if eager is None
        else median(one.latency_ms / other.latency_ms for one, other in zip(taken, eager, strict=True)),
        gflops_a_second=gflops / measured.latency_ms * 1e3,
    )


def _named(device: Device) -> str:
    return f"{device.backend} {device.precision}"
