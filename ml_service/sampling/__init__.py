"""Choosing what to label or to learn from; no torch in here."""
