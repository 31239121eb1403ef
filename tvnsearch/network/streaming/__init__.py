"""A trained network that takes a few frames of a stream at a time.

Frames lie in the batch of features ``(frames, channels, height, width)``, so that layers without a window
over time run as they do on clips, and no tensor has more than four dimensions. A window over time looks at
the frames that were kept and at the new ones as at one sequence. Where the stream has not begun or has ended
it sees padding, as at the ends of a clip. :mod:`tvnsearch.genome.streaming` says what is kept, and how late
results come.
"""

from tvnsearch.network.streaming.network import StreamingNetwork

__all__ = ["StreamingNetwork"]
