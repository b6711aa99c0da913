"""The command line, the supervisor of all processes, the demo, and what `make` runs."""
