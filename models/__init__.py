"""Frozen feature extractors, the geometry between pixels and feature cells, and the stores of what was computed.

Only the extractor modules import torch; geometry, stores and image reading do without, so that the backend can.
"""
