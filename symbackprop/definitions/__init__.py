"""What is given: tables of formulas, and the network that chooses from them; no derivative anywhere."""
