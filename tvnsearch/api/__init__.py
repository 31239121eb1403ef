"""What a user does from end to end, one module a verb; `tvnsearch` has it all by name."""
