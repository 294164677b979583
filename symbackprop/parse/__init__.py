"""Typed text to SymPy, through a lexer and a list of what is allowed; whatever goes wrong becomes one line."""
