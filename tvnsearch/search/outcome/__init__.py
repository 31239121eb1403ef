"""What a search comes to: its winner, its finalists, and what it has for another budget."""
