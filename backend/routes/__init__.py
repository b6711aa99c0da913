"""HTTP in, schema out; the work is done in services, handlers and queries."""
