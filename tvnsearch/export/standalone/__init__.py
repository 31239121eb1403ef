"""A network as source of its own: a folder that runs where torch is, without tvnsearch."""
