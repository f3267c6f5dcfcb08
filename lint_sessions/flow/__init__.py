"""What a run of one function can do to the sessions it touches."""
