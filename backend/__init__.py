"""The HTTP service: routes in, schemas out. Never imports torch."""
