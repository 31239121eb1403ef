"""A genome for people: in words (one line a block) and as a picture (SVG)."""

from tvnsearch.genome.drawing.layout import draw_network
from tvnsearch.genome.drawing.svg import network_svg
from tvnsearch.genome.drawing.words import block_lines

__all__ = ["block_lines", "draw_network", "network_svg"]
