"""Whether an acceleration still ranks networks as full trainings do."""

from __future__ import annotations

from collections import deque

from scipy.stats import kendalltau

FEWEST_PAIRS = 20
"""Before so many the correlation says little: of unrelated numbers its deviation is 0.16 then."""

LATEST_PAIRS = 40
"""A search moves on, and what ranked its beginnings well need not rank what it tries now."""

MISLEADING_ERRORS = 1.0
"""A rank correlation so many standard errors below 0 misleads.

Not 0 itself: what is trained was chosen to be good, and among networks that are all about as good as each
other the luck of training hides most of what a useful judgement knows.
"""


class RankWatch:
    """Follows the rank correlation (Kendall's tau-b) of early judgements with what training then says.

    Once it is found to mislead, it stays so: what is switched off learns no more about itself.

    ``fewest_pairs`` are needed to say anything, by default ``FEWEST_PAIRS``; ``against`` says in words what
    judgements are held against.
    """

    def __init__(self, what: str, fewest_pairs: int | None = None, against: str = "full trainings") -> None:
        self._what = what
        self._fewest_pairs = FEWEST_PAIRS if fewest_pairs is None else fewest_pairs
        self._against = against
        self._pairs: deque[tuple[float, float]] = deque(maxlen=LATEST_PAIRS)
        self.trusted = True

    @property
    def kendall(self) -> float | None:
        """The correlation over the latest pairs; None while there are too few, or all are equal."""
        if len(self._pairs) < self._fewest_pairs:
            return None
        judged, found = zip(*self._pairs, strict=True)
        correlation = float(kendalltau(judged, found).statistic)
        return correlation if correlation == correlation else None  # noqa: PLR0124 - NaN

    def add(self, judged: float, found: float) -> str | None:
        """Take in a judgement and what it was about; a line for the log if this ends the trust in it."""
        if not self.trusted:
            return None
        self._pairs.append((judged, found))
        correlation = self.kendall
        if correlation is None or correlation >= -MISLEADING_ERRORS * _standard_error(len(self._pairs)):
            return None
        self.trusted = False
        return (
            f"{self._what} is switched off: over the latest {len(self._pairs)} networks its rank correlation "
            f"with {self._against} is {correlation:.2f}, worse than chance"
        )


def _standard_error(pairs: int) -> float:
    """Of Kendall's tau between unrelated rankings of so many (Kendall 1938)."""
    return float((2 * (2 * pairs + 5) / (9 * pairs * (pairs - 1))) ** 0.5)
