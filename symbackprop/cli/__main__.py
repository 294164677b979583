"""``python -m symbackprop.cli``."""

from symbackprop.cli.program import main

main()
