"""Sentences that several commands print."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from cli.output import out, print_table
from tvnsearch.api.exported import exported_line
from tvnsearch.api.status import HandedOver
from tvnsearch.api.times import written_interval, written_time
from tvnsearch.search.budget import written_limit

if TYPE_CHECKING:
    from tvnsearch.api.status import RunReport
    from tvnsearch.devices.measurement import Measurement


def print_measurements(title: str, names: Sequence[str], measurements: Sequence[Measurement]) -> None:
    """Networks with their measured latencies; below the table, why some of these are not trusted."""
    print_table(
        title,
        ["network", "ms", "95 % interval", "p50", "p90", "p99", "samples", "trusted"],
        [
            [
                name,
                f"{row.latency_ms:.2f}",
                written_interval(row.ci_low_ms, row.ci_high_ms),
                f"{row.p50_ms:.2f}",
                f"{row.p90_ms:.2f}",
                f"{row.p99_ms:.2f}",
                row.samples,
                "yes" if row.trusted else "no",
            ]
            for name, row in zip(names, measurements, strict=True)
        ],
    )
    for name, row in zip(names, measurements, strict=True):
        if not row.trusted:
            out.print(f"{name} is not trusted: {row.reason}", highlight=False, markup=False, soft_wrap=True)


def print_summary(summary: RunReport) -> None:
    """A run for people: its winner against the budget, its scores against chance, its counts, its files."""
    report = to_builtins(summary)
    winner = report["winner"]
    lines = [f"run {report['run']}, {written_time(3600 * report['hours'])}"]
    if winner is None:
        best = report["best_fitness"]
        lines.append("no winner yet" + ("" if best is None else f"; best fitness so far {best:.3f}"))
    else:
        lines += winner.get("drawing", [])
        interval = written_interval(winner["ci_low_ms"], winner["ci_high_ms"])
        lines.append(
            f"latency {winner['latency_ms']:.2f} ms measured, 95 % interval {interval} ms; budget "
            f"{report['max_ms']:g} ms"
        )
        if not report["promised"]:
            lines.append(
                f"        that is no promise: {winner['reason']}; measure again by `tvnsearch resume "
                f"{report['run']}`"
            )
        lines += [
            f"{predicted_line(device, estimate)}; budget {report['others_max_ms'][device]:g} ms"
            for device, estimate in winner["predicted_on_others"].items()
        ]
        lines += _exported_lines(summary)
        limit = report["max_params"]
        lines.append(
            f"size    {winner['params']:,} parameters"
            + ("" if limit is None else f" (budget {limit:,})")
            + f", {2 * winner['macs'] / 1e9:.3f} GFLOPs ({winner['macs'] / 1e9:.3f} GMACs)"
        )
        lines.append(_used_line(report))
        lines.append(_scores_line(winner))
    lines.append(_genomes_line(report))
    if winner is not None and report["not_binding"]:
        lines.append(_not_binding_line(report))
    if winner is not None:
        lines += [f"file    {path}" for path in winner.get("files", [])]
    for line in lines:
        out.print(line, highlight=False, markup=False, soft_wrap=True)


def print_report_hint(run: str) -> None:
    """How the page is made that explains a run."""
    line = f"report  `tvnsearch report {shlex.quote(run)}` writes one page that explains it"
    out.print(line, highlight=False, markup=False, soft_wrap=True)


def _exported_lines(summary: RunReport) -> list[str]:
    """What the winner's file takes, beside what the network does; nothing where it was not timed."""
    winner = summary.winner
    exported = winner.exported if isinstance(winner, HandedOver) else None
    if exported is None:
        return []
    elsewhere = "" if exported.max_ms is not None else "; the budget is for another device"
    return [f"export  {exported_line(exported.file, exported)}{elsewhere}"]


def predicted_line(device: str, estimate: dict[str, float]) -> str:
    """A latency on a device that nothing was measured on."""
    return (
        f"latency {estimate['latency_ms']:.2f} ms predicted for {device}, not measured, bounds "
        f"{estimate['lower_ms']:.2f} to {estimate['upper_ms']:.2f} ms"
    )


def _used_line(report: dict[str, Any]) -> str:
    """Which share of each limit the winner takes."""
    shares = [
        f"{100 * share:.3g} % of {_limit(report, name)}" for name, share in report["budget_used"].items()
    ]
    return f"budget  the winner uses {', '.join(shares)}"


def _not_binding_line(report: dict[str, Any]) -> str:
    """Which limits were given for nothing."""
    limits = " and ".join(_limit(report, name) for name in report["not_binding"])
    return f"budget  {limits} did not bind: the search rejected no genome by that"


def _limit(report: dict[str, Any], name: str) -> str:
    return written_limit(f"--{name.replace('_', '-')}", report[name])


def _genomes_line(report: dict[str, Any]) -> str:
    """What became of all genomes, by the limits that were asked for and the events that there were."""
    judges = {
        "rejected_params": ("parameters", report["max_params"] is not None),
        "rejected_gflops": ("GFLOPs", report["max_gflops"] is not None),
        "rejected_mb": ("megabytes", report["max_mb"] is not None),
        "rejected_predicted": ("the predictor", True),
        "rejected_on_others": ("predictions for other devices", bool(report["others_max_ms"])),
        "rejected_measured": ("real measurement", True),
    }
    rejected = ", ".join(f"{report[key]:,} by {judge}" for key, (judge, asked) in judges.items() if asked)
    parts = [f"genomes {report['sampled']:,} sampled", f"rejected: {rejected}"]
    if report["duplicates"]:
        saved = f"{written_time(3600 * report['hours_saved'])} of training"
        plural = "s" if report["duplicates"] > 1 else ""
        parts.append(f"{report['duplicates']:,} duplicate{plural}, which saved {saved}")
    if report["undecided"]:
        parts.append(f"{report['undecided']:,} undecided, for want of a measurement to be trusted")
    stopped = f", {report['stopped']:,} of them stopped early" if report["stopped"] else ""
    failed = f", {report['failed']:,} failed" if report["failed"] else ""
    return "; ".join([*parts, f"{report['trained']:,} trained{stopped}{failed}"])


def _scores_line(winner: dict[str, Any]) -> str:
    if "clips" not in winner:
        return f"fitness {winner['fitness']:.3f} on validation clips; not yet handed over"
    if winner["top1"] is None:
        return f"mAP {100 * winner['mean_average_precision']:.1f} % on {winner['clips']} clips it never saw"
    times = winner["top1"] / winner["chance"]
    return (
        f"scores  top-1 {100 * winner['top1']:.1f} %, top-5 {100 * winner['top5']:.1f} % on "
        f"{winner['clips']} clips it never saw; chance is {100 * winner['chance']:.1f} % ({times:.1f}x)"
    )
