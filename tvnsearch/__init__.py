"""Hardware-aware evolutionary search for tiny video networks."""
