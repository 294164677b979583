"""What follows: derivation rules over any list of equations."""
