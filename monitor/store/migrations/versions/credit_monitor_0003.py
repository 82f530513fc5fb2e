"""Reports: which were sent, and messages that tell no events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "credit_monitor_0003"
down_revision = "credit_monitor_0002"
branch_labels = None
depends_on = None

IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "notification_bodies",
        sa.Column("notification_id", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("notification_id"),
    )
    op.create_table(
        "reports",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("period_start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("period_end", sa.BigInteger(), nullable=False),
        sa.Column("enqueued_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("kind", "period_start"),
    )


def downgrade() -> None:
    """An older program does not open a newer store."""
    raise NotImplementedError("restore a backup instead")
