"""The words every room speaks: symbols, indices, sums, equations, and how they are written and evaluated."""
