"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "credit_monitor_0001"
down_revision = None
branch_labels = None
depends_on = None

IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create all tables."""
    _create_what_was_read()
    _create_alerts()
    _create_outbox()


def _create_what_was_read() -> None:
    op.create_table(
        "keys",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("last_poll_at", sa.BigInteger()),
        sa.Column("last_success_at", sa.BigInteger()),
        sa.Column("failing_since", sa.BigInteger()),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("refused_since", sa.BigInteger()),
        sa.PrimaryKeyConstraint("name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "meters",
        sa.Column("id", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger()),
        sa.Column("unit", sa.Text()),
        sa.Column("balance", sa.Text()),
        sa.Column("credit_limit", sa.Text()),
        sa.Column("expires_at", sa.BigInteger()),
        sa.Column("jobs_limit", sa.BigInteger()),
        sa.Column("jobs_running", sa.BigInteger()),
        sa.Column("thinned_to", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key", "name", name="meters_key_name"),
    )
    op.create_table(
        "ledgers",
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("subject_id", "meter"),
    )
    op.create_table(
        "samples",
        sa.Column("meter", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("lasted", sa.BigInteger(), nullable=False),
        sa.Column("balance", sa.Text()),
        sa.PrimaryKeyConstraint("meter", "at"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "outages",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("polls", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", "at"),
        sqlite_with_rowid=False,
    )


def _slot() -> tuple[sa.Column[str], ...]:
    return (
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
    )


def _create_alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", IDENTITY, autoincrement=False, nullable=False),
        *_slot(),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("worst", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("resolved_at", sa.BigInteger()),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("severities", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    still_open = sa.text("resolved_at IS NULL")
    op.create_index(
        "alerts_open", "alerts", ["id"], sqlite_where=still_open, postgresql_where=still_open
    )
    op.create_table(
        "events",
        sa.Column("id", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("alert_id", IDENTITY, nullable=False),
        *_slot(),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_events_alert_id", "events", ["alert_id"])


def _create_outbox() -> None:
    op.create_table(
        "notifications",
        sa.Column("id", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger()),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_notifications_state", "notifications", ["state"])
    op.create_table(
        "notification_events",
        sa.Column("notification_id", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("position", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("event_id", IDENTITY, nullable=False),
        sa.PrimaryKeyConstraint("notification_id", "position"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_notification_events_event_id", "notification_events", ["event_id"])
    op.create_table(
        "attempts",
        sa.Column("notification_id", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("number", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("duration", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("notification_id", "number"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """There is nothing before the first schema."""
    raise NotImplementedError("restore a backup instead")
