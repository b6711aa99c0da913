"""Losses on logits, one task a file."""
