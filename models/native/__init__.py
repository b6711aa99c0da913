"""Compiled code. Built where the package is installed with a C compiler at hand; everything works without it."""
