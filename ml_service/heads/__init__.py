"""Heads: what is trained on frozen features."""
