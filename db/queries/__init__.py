"""Queries, one noun a file. Each takes an open `db_session`; the caller owns the transaction."""
