"""How candidates are trained: what with, how far, which of them at all. The accelerations import SciPy."""
