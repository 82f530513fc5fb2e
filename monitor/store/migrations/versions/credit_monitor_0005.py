"""Forecasts: what was learned of each balance's consumption."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "credit_monitor_0005"
down_revision = "credit_monitor_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; what was consumed before is learned anew."""
    op.create_table(
        "forecasts",
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("consumed_total", sa.Text(), nullable=False),
        sa.Column("refunded_total", sa.Text(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("subject_id", "meter"),
    )


def downgrade() -> None:
    """An older program does not open a newer store."""
    raise NotImplementedError("restore a backup instead")
