"""Candidates of a search: drawn, chosen among, judged against the budget, until one may be trained."""
