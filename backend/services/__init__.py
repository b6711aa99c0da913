"""One workflow a file."""
