"""How it is written: Python text that Numba compiles."""
