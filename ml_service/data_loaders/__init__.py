"""How labels and features become training samples, one task a file."""
