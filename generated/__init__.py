"""Modules written by symbackprop, committed so that they can be read, imported and diffed."""
