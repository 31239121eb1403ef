"""`tvnsearch devices`: whose latencies are known."""

from __future__ import annotations

import tvnsearch
from cli.arguments import DatabaseOption, JsonOption


def devices(db: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """Show the devices whose latencies are known.

    Those that were profiled here, and those whose tables come with tvnsearch. A search may have a budget on
    any of them: `--max-ms cpu=50,DIGEST=10`.
    """
    from cli.output import out, print_json, print_table

    known = tvnsearch.known_devices(db)
    if as_json:
        print_json(known)
        return
    print_table(
        "devices",
        ["device", "from", "networks", "layer rows", "noise floor", "within 10 %", "mean error"],
        [
            [
                device.digest,
                "tvnsearch" if device.is_shipped else "profiled",
                device.genomes,
                device.rows,
                "-" if device.noise_floor_percent is None else f"{device.noise_floor_percent:.1f} %",
                "-" if device.heldout is None else f"{100 * device.heldout.within_10_percent:.0f} %",
                "-" if device.heldout is None else f"{device.heldout.mape_percent:.1f} %",
            ]
            for device in known
        ],
    )
    for device in known:
        line = f"{device.digest}: {device.description} ({device.source})"
        out.print(line, highlight=False, markup=False, soft_wrap=True)
