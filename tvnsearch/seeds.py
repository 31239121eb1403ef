"""What a seed may be, wherever one is taken."""

from __future__ import annotations

from tvnsearch.errors import UserError

LARGEST_SEED = 2**32 - 1
"""NumPy's, scikit-learn's and LightGBM's generators take no larger one, and none takes a negative one."""


def require_seed(seed: int, option: str = "--seed") -> None:
    """Refuse a seed, that of ``option``, which a generator would refuse that may be asked for it after hours.

    Raises:
        UserError: it is negative, or has more than 32 bits.
    """
    if not 0 <= seed <= LARGEST_SEED:
        raise UserError(f"expected {option} of 0 to {LARGEST_SEED}, but got {seed}; give another number")
