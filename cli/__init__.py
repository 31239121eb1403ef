"""The command line, and the Python facade that wires the packages together (:mod:`cli.compose`)."""
