"""What loading would run, and whether somebody allowed it."""
