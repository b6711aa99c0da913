"""Measurements that work from outside, through the HTTP contract alone."""
