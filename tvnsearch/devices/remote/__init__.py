"""A device that is somewhere else: how it is named and reached, and what answers there."""
