"""Annotations as files: one format a module, all streamed."""
