"""A module held against numbers that none of its formulas gave: gradients, updates, accuracy in ULP."""
