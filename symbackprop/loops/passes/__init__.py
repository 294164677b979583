"""One pass a file; each takes a body of statements and returns one that computes the same."""
