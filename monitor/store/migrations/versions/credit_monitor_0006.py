"""When the login behind a meter was last renewed by itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "credit_monitor_0006"
down_revision = "credit_monitor_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "renewals",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", "meter"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """An older program does not open a newer store."""
    raise NotImplementedError("restore a backup instead")
