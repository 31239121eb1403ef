"""Hand a found network over to a deployment runtime."""
