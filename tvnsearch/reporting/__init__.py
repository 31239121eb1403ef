"""The page of a run: one HTML file that needs nothing else, with its figures as SVG."""

from tvnsearch.reporting.page import page_html
from tvnsearch.reporting.records import RunPage

__all__ = ["RunPage", "page_html"]
