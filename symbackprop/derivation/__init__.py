"""From a network to its gradients and its update: the derivation people read, and a training step's equations."""
