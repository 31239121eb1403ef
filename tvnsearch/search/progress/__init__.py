"""How a search stands: its figures, recorded and told while it runs, and read from other processes."""
