"""The command line: derive, generate, train, predict, check, plot-activation, audit, bench."""

from symbackprop.cli.program import main, run

__all__ = ["main", "run"]
