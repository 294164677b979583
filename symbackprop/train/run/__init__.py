"""A training run: the loop, its record, what is shown while it goes on, and how good the result is."""
