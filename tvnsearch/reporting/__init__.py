"""The page of a run: one HTML file that needs nothing else, with its figures as SVG."""
