"""What Alembic runs: our migrations, inside the transaction that the caller has begun."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    transactional_ddl=True,  # also in SQLite, where the driver's own BEGIN is switched off
    render_as_batch=True,
)
context.run_migrations()
