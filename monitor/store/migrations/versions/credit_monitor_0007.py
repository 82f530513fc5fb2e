"""Which configuration is in use, and why a later one was refused."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "credit_monitor_0007"
down_revision = "credit_monitor_0006"
branch_labels = None
depends_on = None

IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "configuration",
        sa.Column("id", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=False),
        sa.Column("refused_at", sa.BigInteger()),
        sa.Column("problems", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    """An older program does not open a newer store."""
    raise NotImplementedError("restore a backup instead")
