"""Which equations make up a kernel, and in which order: the lecture's, the fast ones, mini-batches."""
