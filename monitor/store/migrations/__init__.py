"""Alembic migrations: how the tables came to be what `schema` says."""
