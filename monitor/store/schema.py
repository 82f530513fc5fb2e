"""The tables.  ``migrations/`` leads an older store here; a test holds the two together.

No foreign keys: every row carries its own identity and comes from one writer, and a write that
a constraint refuses would hold up all that comes after it.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
)

from monitor.core.events import Change, Suppression, Why
from monitor.core.model import Kind, Reason, Severity
from monitor.core.notifications import NotificationState
from monitor.core.renewals import Outcome
from monitor.store.columns import Amount, Choice, Count, Identity, Moment, Span, Words

HEAD = "credit_monitor_0007"
"""The newest migration; a store at it is opened without importing Alembic."""

APPLICATION_ID = 0x43724D6F
""""CrMo" in the header of our SQLite files (https://www.sqlite.org/pragma.html#pragma_application_id)."""

metadata = MetaData()
bookkeeping = MetaData()

version = Table(
    "alembic_version",
    bookkeeping,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""Alembic's own table, described here so that a start can read it without Alembic."""

keys = Table(
    "keys",
    metadata,
    Column("name", Words, primary_key=True),
    Column("provider", Words, nullable=False),
    Column("account", Words, nullable=False),
    Column("last_poll_at", Moment),
    Column("last_success_at", Moment),
    Column("failing_since", Moment),
    Column("failures", Count, nullable=False),
    Column("reason", Choice(Reason)),
    Column("detail", Words, nullable=False),
    Column("refused_since", Moment),
    sqlite_with_rowid=False,
)

meters = Table(
    "meters",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=False),
    Column("key", Words, nullable=False),
    Column("name", Words, nullable=False),
    Column("at", Moment),
    Column("unit", Words),
    Column("balance", Amount),
    Column("credit_limit", Amount),
    Column("expires_at", Moment),
    Column("jobs_limit", Count),
    Column("jobs_running", Count),
    Column("thinned_to", Moment),
    Column("kind", Choice(Kind)),
    Column("reason", Choice(Reason)),
    Column("detail", Words),
    Column("failing_since", Moment),
    Column("failed_at", Moment),
    Column("failures", Count),
    UniqueConstraint("key", "name", name="meters_key_name"),
)
"""A number for each (key, meter), so that samples are short, and the last reading with its time.

``at`` is empty where only samples are known; ``thinned_to`` is how far :mod:`.thinning` came.
``reason`` and what follows it are set while the meter fails although its key works.
"""

ledgers = Table(
    "ledgers",
    metadata,
    Column("subject_id", Words, primary_key=True),
    Column("meter", Words, primary_key=True),
    Column("state", Words, nullable=False),
)

forecasts = Table(
    "forecasts",
    metadata,
    Column("subject_id", Words, primary_key=True),
    Column("meter", Words, primary_key=True),
    Column("consumed_total", Amount, nullable=False),
    Column("refunded_total", Amount, nullable=False),
    Column("state", LargeBinary, nullable=False),
)
"""What was learned of each balance's consumption, up to these totals of its ledger."""

samples = Table(
    "samples",
    metadata,
    Column("meter", Identity, primary_key=True, autoincrement=False),
    Column("at", Moment, primary_key=True),
    Column("lasted", Span, nullable=False),
    Column("balance", Amount),
    sqlite_with_rowid=False,
)
"""``lasted`` is ``until`` less ``at``: no byte in SQLite for a balance that was read only once."""

outages = Table(
    "outages",
    metadata,
    Column("key", Words, primary_key=True),
    Column("at", Moment, primary_key=True),
    Column("until", Moment, nullable=False),
    Column("reason", Choice(Reason), nullable=False),
    Column("detail", Words, nullable=False),
    Column("polls", Count, nullable=False),
    sqlite_with_rowid=False,
)


def _slot() -> tuple[Column[str], ...]:
    return (
        Column("provider", Words, nullable=False),
        Column("account", Words, nullable=False),
        Column("key", Words, nullable=False),
        Column("meter", Words, nullable=False),
        Column("rule", Words, nullable=False),
    )


alerts = Table(
    "alerts",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=False),
    *_slot(),
    Column("severity", Choice(Severity), nullable=False),
    Column("worst", Choice(Severity), nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("resolved_at", Moment),
    Column("facts", Words, nullable=False),
    Column("severities", Words, nullable=False),
    Column("told_at", Moment),
    Column("escalated_at", Moment),
)
Index(
    "alerts_open",
    alerts.c.id,
    sqlite_where=alerts.c.resolved_at.is_(None),
    postgresql_where=alerts.c.resolved_at.is_(None),
)

events = Table(
    "events",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=False),
    Column("alert_id", Identity, nullable=False, index=True),
    *_slot(),
    Column("change", Choice(Change), nullable=False),
    Column("why", Choice(Why), nullable=False),
    Column("told", Boolean, nullable=False),
    Column("severity", Choice(Severity), nullable=False),
    Column("at", Moment, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("facts", Words, nullable=False),
)

renewals = Table(
    "renewals",
    metadata,
    Column("key", Words, primary_key=True),
    Column("meter", Words, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("outcome", Choice(Outcome), nullable=False),
    Column("detail", Words, nullable=False),
    Column("failures", Count, nullable=False),
    sqlite_with_rowid=False,
)
"""The last renewal of each login, so that the wait before the next survives a restart."""

notifications = Table(
    "notifications",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=False),
    Column("channel", Words, nullable=False),
    Column("state", Choice(NotificationState), nullable=False, index=True),
    Column("created_at", Moment, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("next_attempt_at", Moment, nullable=False),
    Column("attempts", Count, nullable=False),
    Column("finished_at", Moment),
    Column("error", Words, nullable=False),
    Column("handed_to", Words, nullable=False, server_default=""),
    Column("note", Words, nullable=False, server_default=""),
)

notification_events = Table(
    "notification_events",
    metadata,
    Column("notification_id", Identity, primary_key=True, autoincrement=False),
    Column("position", Identity, primary_key=True, autoincrement=False),
    Column("event_id", Identity, nullable=False, index=True),
    sqlite_with_rowid=False,
)
"""Which events a notification tells, in their order."""

notification_bodies = Table(
    "notification_bodies",
    metadata,
    Column("notification_id", Identity, primary_key=True, autoincrement=False),
    Column("body", Words, nullable=False),
)
"""The message of a notification that tells no events."""

attempts = Table(
    "attempts",
    metadata,
    Column("notification_id", Identity, primary_key=True, autoincrement=False),
    Column("number", Identity, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("outcome", Words, nullable=False),
    Column("detail", Words, nullable=False),
    Column("duration", Span, nullable=False),
    sqlite_with_rowid=False,
)

reports = Table(
    "reports",
    metadata,
    Column("kind", Words, primary_key=True),
    Column("period_start", Moment, primary_key=True, autoincrement=False),
    Column("period_end", Moment, nullable=False),
    Column("enqueued_at", Moment),
)
"""Which reports were given to the outbox, so that a restart neither repeats nor skips one."""

configuration = Table(
    "configuration",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=False),
    Column("read_at", Moment, nullable=False),
    Column("refused_at", Moment),
    Column("problems", Words, nullable=False),
)
"""One row: when the daemon read what is in use, and why it refused what came later."""

silences = Table(
    "silences",
    metadata,
    Column("id", Identity, primary_key=True),
    Column("keys", Words, nullable=False),
    Column("accounts", Words, nullable=False),
    Column("providers", Words, nullable=False),
    Column("rules", Words, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("until", Moment, nullable=False),
    Column("author", Words, nullable=False),
    Column("reason", Words, nullable=False),
    Column("ended_at", Moment),
)
"""The only table whose identities the database gives out: any process may add a silence."""

acks = Table(
    "acks",
    metadata,
    Column("alert_id", Identity, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("author", Words, nullable=False),
    Column("reason", Words, nullable=False),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("event_id", Identity, primary_key=True, autoincrement=False),
    Column("channel", Words, primary_key=True),
    Column("reason", Choice(Suppression), primary_key=True),
    Column("at", Moment, nullable=False),
    sqlite_with_rowid=False,
)
"""Which events a channel (all where empty) was not told, or later than others."""
