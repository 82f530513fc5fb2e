"""Silences, acknowledgements, suppressions, and when an alert was last told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "credit_monitor_0002"
down_revision = "credit_monitor_0001"
branch_labels = None
depends_on = None

IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add what is new; no row is changed but for the new column of ``alerts``."""
    _create_silences()
    _create_acks()
    _create_suppressions()
    op.add_column("alerts", sa.Column("told_at", sa.BigInteger()))
    op.add_column("alerts", sa.Column("escalated_at", sa.BigInteger()))
    for name in ("handed_to", "note"):
        column = sa.Column(name, sa.Text(), nullable=False, server_default="")
        op.add_column("notifications", column)
    # The clock of reminders goes on from the last message, not from the upgrade.
    op.execute(
        "UPDATE alerts SET told_at = (SELECT max(events.at) FROM events"
        " WHERE events.alert_id = alerts.id AND events.told)"
    )


def _create_silences() -> None:
    op.create_table(
        "silences",
        sa.Column("id", IDENTITY, nullable=False),
        sa.Column("keys", sa.Text(), nullable=False),
        sa.Column("accounts", sa.Text(), nullable=False),
        sa.Column("providers", sa.Text(), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id"),
    )


def _create_acks() -> None:
    op.create_table(
        "acks",
        sa.Column("alert_id", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id"),
    )


def _create_suppressions() -> None:
    op.create_table(
        "suppressions",
        sa.Column("event_id", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "channel", "reason"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """An older version does not know what is new."""
    raise NotImplementedError("restore a backup instead")
