"""`tvnsearch show`: a network layer by layer."""

from __future__ import annotations

from cli.arguments import ClassesOption, GenomeArgument, JsonOption
from tvnsearch.genome.trace import MOMENTS_IN_TIME_CLASSES


def show(
    genome: GenomeArgument, classes: ClassesOption = MOMENTS_IN_TIME_CLASSES, as_json: JsonOption = False
) -> None:
    """Show what a network executes: each layer call with its shapes, parameters and MACs."""
    from cli.genomes import resolve_genome
    from cli.output import count, out, print_json, print_table
    from tvnsearch.genome.drawing import block_lines
    from tvnsearch.genome.trace import trace

    found = resolve_genome(genome)
    network = trace(found, classes)
    if as_json:
        print_json(
            {
                "layers": [
                    {
                        "name": name,
                        "type": call.type,
                        "in_shape": call.in_shape,
                        "out_shape": call.out_shape,
                        "params": call.params,
                        "macs": call.macs,
                    }
                    for name, call in network.named_calls()
                ],
                "params": network.params,
                "macs": network.macs,
            }
        )
        return
    for line in block_lines(found):
        out.print(line, highlight=False, markup=False)
    print_table(
        f"{genome}: {count(network.params)} parameters, {network.macs / 1e9:.3f} GMACs, "
        f"{2 * network.macs / 1e9:.3f} GFLOPs",
        ["layer call", "kernel", "stride", "out TxHxWxC", "parameters", "MMACs"],
        [
            [
                name,
                call.kernel,
                call.stride,
                "x".join(map(str, call.out_shape)),
                count(call.params),
                f"{call.macs / 1e6:.2f}",
            ]
            for name, call in network.named_calls()
        ],
    )
