"""How pixels are normalised, in numbers that can be told without torch."""

from __future__ import annotations

PIXEL_MEAN = 0.45
PIXEL_STD = 0.225
"""Pixels are normalised to (x / 255 - PIXEL_MEAN) / PIXEL_STD, the same for every channel."""
