"""Numbers as people write them: counts with a unit, milliseconds on one device and on others."""

from __future__ import annotations

import re
from decimal import Decimal

from tvnsearch.errors import UserError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9}
_COUNT = re.compile(
    r"(?P<grouped>\d{1,3}(?:,\d{3})+|\d{1,3}(?:_\d{3})+)"
    r"|(?P<number>\d+(?:\.\d+)?(?:e\+?\d{1,2})?) *(?P<unit>[kmgb]?)",
    re.IGNORECASE,
)
_DECIMAL_COMMA = re.compile(r"(?:^|=)\s*\d+,\d+(?:\.\d*)?\s*(?:,|$)")


def parse_max_ms(text: str, device: str) -> tuple[float, dict[str, float]]:
    """Read ``50`` or ``cpu=50,nvidia-h200=10``: ms on ``device``, which is measured, and on others.

    Raises:
        UserError: it is neither, or says nothing of the device that is measured.
    """
    if _DECIMAL_COMMA.search(text):
        raise UserError(
            f"expected --max-ms with a decimal point, like 12.5 or {device}=12.5, but got '{text}'; a comma "
            "stands between devices, write a point"
        )
    limits: dict[str, float] = {}
    for part in text.split(","):
        name, equals, number = part.rpartition("=")
        try:
            limits[name.strip() if equals else device] = float(number)
        except ValueError:
            raise UserError(
                f"expected --max-ms to be milliseconds like 50, or those of devices like "
                f"cpu=50,nvidia-h200=10, got '{text}'"
            ) from None
    if device not in limits or len(limits) != len(text.split(",")):
        raise UserError(
            f"expected --max-ms to say once what holds on {device}, where networks are measured, got "
            f"'{text}'; write {device}=50 in it"
        )
    return limits.pop(device), limits


def parse_count(text: str | None, option: str) -> int | None:
    """Read ``12M``, ``800k``, ``1500000``, ``1,500,000``, ``1_500_000`` or ``1.5e6``.

    A comma or an underscore stands between groups of three digits, and nowhere else: ``1,5`` is refused.

    Raises:
        UserError: it is none of these, or no count of 1 or more.
    """
    if text is None:
        return None
    match = _COUNT.fullmatch(text.strip())
    count = 0
    if match is not None and match["grouped"]:
        count = int(re.sub("[,_]", "", match["grouped"]))
    elif match is not None:
        count = round(Decimal(match["number"]) * _UNITS[match["unit"].lower()])
    if count < 1:
        raise UserError(
            f"expected {option} to be a number of 1 or more like 12M, 800k, 1500000, 1,500,000 or 1.5e6, but "
            f"got '{text}'; write it in one of these ways"
        )
    return count
