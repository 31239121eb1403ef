"""A genome for people: in words (one line a block) and as a picture (SVG)."""

from tvnsearch.drawing.layout import draw_network
from tvnsearch.drawing.svg import network_svg
from tvnsearch.drawing.words import block_lines

__all__ = ["block_lines", "draw_network", "network_svg"]
