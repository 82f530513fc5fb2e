"""What a meter's number is, and meters that fail although their key works."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "credit_monitor_0004"
down_revision = "credit_monitor_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; a meter of before has a balance and does not fail by itself."""
    for name in ("kind", "reason", "detail"):
        op.add_column("meters", sa.Column(name, sa.Text()))
    for name in ("failing_since", "failed_at", "failures"):
        op.add_column("meters", sa.Column(name, sa.BigInteger()))


def downgrade() -> None:
    """An older program does not open a newer store."""
    raise NotImplementedError("restore a backup instead")
