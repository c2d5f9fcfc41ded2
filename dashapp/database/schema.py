"""The schema as SQLAlchemy Core tables: what Alembic compares when a migration is written.

The migrations make the tables; a test holds that both say the same. Partitions are made at run time by
`dashapp.metrics.rollups.partitions` and are no part of this.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP, UUID

metadata = MetaData()

_when = TIMESTAMP(timezone=True)


def _id() -> Column[object]:
    return Column("id", UUID, primary_key=True, server_default=text("gen_random_uuid()"))


def _moment(name: str, *, now: bool = False, optional: bool = False) -> Column[object]:
    return Column(name, _when, nullable=optional, server_default=func.now() if now else None)


users = Table(
    "users", metadata, _id(),
    Column("email", Text, nullable=False),
    Column("password_hash", Text),
    Column("role", Text, CheckConstraint("role IN ('viewer', 'editor', 'admin')"), nullable=False),
    _moment("created_at", now=True), _moment("updated_at", now=True), _moment("disabled_at", optional=True),
    Index("users_email_key", text("lower(email)"), unique=True),
)  # fmt: skip

sessions = Table(
    "sessions", metadata,
    Column("id_hash", LargeBinary, primary_key=True),
    Column("user_id", UUID, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    _moment("created_at", now=True), _moment("last_seen_at", now=True), _moment("expires_at"),
    Column("user_agent", Text, nullable=False, server_default=""),
    Column("address", Text, nullable=False, server_default=""),
    Column("id", UUID, nullable=False, server_default=text("gen_random_uuid()")),
    _moment("ends_at"),
    Index("sessions_user_id_idx", "user_id"),
    Index("sessions_id_key", "id", unique=True),
)  # fmt: skip

signin_links = Table(
    "signin_links", metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("user_id", UUID, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    _moment("created_at", now=True), _moment("expires_at"),
)  # fmt: skip

tokens = Table(
    "tokens", metadata, _id(),
    Column("user_id", UUID, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("token_hash", LargeBinary, nullable=False),
    Column("scope", Text, CheckConstraint("scope IN ('ingest', 'read', 'write')"), nullable=False),
    _moment("created_at", now=True), _moment("expires_at", optional=True), _moment("last_used_at", optional=True),
    UniqueConstraint("token_hash", name="tokens_token_hash_key"),
    Index("tokens_user_id_idx", "user_id"),
)  # fmt: skip

audit_log = Table(
    "audit_log", metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    _moment("at", now=True),
    Column("actor_id", UUID),
    Column("actor", Text, nullable=False),
    Column("token", Text),
    Column("address", Text, nullable=False, server_default=""),
    Column("request_id", Text, nullable=False, server_default=""),
    Column("action", Text, nullable=False),
    Column("target_id", Text, nullable=False, server_default=""),
    Column("target", Text, nullable=False, server_default=""),
    Column("details", JSONB, nullable=False, server_default=text("'{}'")),
    Index("audit_log_at_idx", text("at DESC"), text("id DESC")),
    Index("audit_log_target_id_idx", "target_id"),
)  # fmt: skip

storage = Table(
    "storage", metadata,
    Column("singleton", Boolean, CheckConstraint("singleton"), primary_key=True, server_default=text("true")),
    Column("tier", Text, CheckConstraint("tier IN ('postgres', 'timescaledb', 'citus')"), nullable=False),
    _moment("created_at", now=True),
)  # fmt: skip

metrics = Table(
    "metrics", metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False),
    Column("type", Text, CheckConstraint("type IN ('gauge', 'counter')")),
    Column("unit", Text),
    Column("description", Text),
    Column("generation", BigInteger, nullable=False, server_default="0"),
    _moment("created_at", now=True),
    UniqueConstraint("name", name="metrics_name_key"),
)  # fmt: skip

series = Table(
    "series", metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("metric_id", BigInteger, ForeignKey("metrics.id"), nullable=False),
    Column("tags", JSONB, nullable=False),
    Column("tags_hash", LargeBinary, nullable=False),
    _moment("created_at", now=True),
    UniqueConstraint("metric_id", "tags_hash", name="series_metric_id_tags_hash_key"),
    Index("series_tags_idx", "tags", postgresql_using="gin", postgresql_ops={"tags": "jsonb_path_ops"}),
)  # fmt: skip

_BRIN: dict[str, Any] = {"postgresql_using": "brin", "postgresql_with": {"pages_per_range": 16, "autosummarize": "on"}}

metrics_raw = Table(
    "metrics_raw", metadata,
    Column("time", _when, primary_key=True),
    Column("series_id", BigInteger, primary_key=True),
    Column("value", Double, nullable=False),
    Index("metrics_raw_time_idx", "time", **_BRIN),
    postgresql_partition_by="RANGE (time)",
)  # fmt: skip


def _rollup(name: str) -> Table:
    return Table(
        name, metadata,
        Column("bucket", _when, primary_key=True),
        Column("series_id", BigInteger, primary_key=True),
        Column("sum", Double, nullable=False),
        Column("count", BigInteger, nullable=False),
        *(Column(part, Double, nullable=False) for part in ("min", "max", "first", "last")),
        Index(f"{name}_bucket_idx", "bucket", **_BRIN),
        postgresql_partition_by="RANGE (bucket)",
    )  # fmt: skip


rollup_1min = _rollup("rollup_1min")
rollup_1hour = _rollup("rollup_1hour")

counters = Table(
    "counters", metadata,
    Column("metric_id", BigInteger, ForeignKey("metrics.id", ondelete="CASCADE"), primary_key=True),
    _moment("since"),
    Column("after_series", BigInteger),
    _moment("after_hour", optional=True),
)  # fmt: skip


def _increases(name: str) -> Table:
    return Table(
        name, metadata,
        Column("bucket", _when, primary_key=True),
        Column("series_id", BigInteger, primary_key=True),
        *(Column(part, Double, nullable=False) for part in ("increase", "first", "last")),
        Index(f"{name}_bucket_idx", "bucket", **_BRIN),
        postgresql_partition_by="RANGE (bucket)",
    )  # fmt: skip


rollup_increase_1min = _increases("rollup_increase_1min")
rollup_increase_1hour = _increases("rollup_increase_1hour")

rollup_watermarks = Table(
    "rollup_watermarks", metadata,
    Column("level", Text, CheckConstraint("level IN ('1min', '1hour')"), primary_key=True),
    _moment("watermark"),
)  # fmt: skip

retention_horizons = Table(
    "retention_horizons", metadata,
    Column("level", Text, CheckConstraint("level IN ('raw', '1min', '1hour')"), primary_key=True),
    _moment("horizon"),
)  # fmt: skip

rollup_dirty = Table("rollup_dirty", metadata, _moment("bucket"), Column("series_id", BigInteger))

dashboards = Table(
    "dashboards", metadata, _id(),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("owner_id", UUID, ForeignKey("users.id"), nullable=False),
    Column("is_public", Boolean, nullable=False, server_default=text("false")),
    Column("variables", JSONB, nullable=False, server_default=text("'[]'")),
    Column("version", Integer, nullable=False, server_default="1"),
    _moment("created_at", now=True), _moment("updated_at", now=True), _moment("deleted_at", optional=True),
    Index("dashboards_owner_id_idx", "owner_id"),
    Index("dashboards_deleted_at_idx", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),
)  # fmt: skip

panels = Table(
    "panels", metadata, _id(),
    Column("dashboard_id", UUID, ForeignKey("dashboards.id", ondelete="CASCADE"), nullable=False),
    Column("title", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("options", JSONB, nullable=False, server_default=text("'{}'")),
    Column("x", SmallInteger, CheckConstraint("x BETWEEN 0 AND 11"), nullable=False),
    Column("y", Integer, CheckConstraint("y >= 0"), nullable=False),
    Column("w", SmallInteger, CheckConstraint("w BETWEEN 1 AND 12"), nullable=False),
    Column("h", SmallInteger, CheckConstraint("h BETWEEN 1 AND 8"), nullable=False),
    _moment("deleted_at", optional=True),
    CheckConstraint("x + w <= 12"),
    Index("panels_dashboard_id_idx", "dashboard_id"),
    Index("panels_deleted_at_idx", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),
)  # fmt: skip

loaded_examples = Table(
    "loaded_examples", metadata,
    Column("name", Text, primary_key=True),
    _moment("loaded_at", now=True),
)  # fmt: skip

alert_rules = Table(
    "alert_rules", metadata, _id(),
    Column("owner_id", UUID, ForeignKey("users.id", ondelete="SET NULL")),
    Column("name", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("condition", Text, nullable=False),
    Column("threshold", Double, nullable=False),
    Column("duration", Interval, nullable=False, server_default=text("'0'")),
    Column("severity", Text, nullable=False),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    Column("notification", JSONB),
    Column("aggregation", Text, nullable=False, server_default="avg"),
    Column("function", Text),
    Column("tags", JSONB, nullable=False, server_default=text("'{}'")),
    Column("group_by", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("step", Interval, nullable=False, server_default=text("'10 seconds'")),
    Column("no_data", Text, nullable=False, server_default="keep"),
    Column("version", Integer, nullable=False, server_default="1"),
    _moment("created_at", now=True), _moment("updated_at", now=True),
    _moment("effective_at", now=True), _moment("paused_until", optional=True),
    Column("error", Text),
    _moment("error_since", optional=True),
    Index("alert_rules_owner_id_idx", "owner_id"),
)  # fmt: skip

alert_instances = Table(
    "alert_instances", metadata,
    Column("rule_id", UUID, ForeignKey("alert_rules.id", ondelete="CASCADE"), primary_key=True),
    Column("tags_hash", LargeBinary, primary_key=True),
    Column("tags", JSONB, nullable=False),
    Column("state", Text, nullable=False),
    _moment("since"), _moment("pending_since", optional=True), _moment("last_tick"),
    Column("value", Double),
    Column("rule_version", Integer, nullable=False),
    Column("seen", Text, nullable=False, server_default="nodata"),
    _moment("seen_since", now=True),
    Column("incident", UUID),
    Index("alert_instances_active_idx", "rule_id", postgresql_where=text("state <> 'ok'")),
)  # fmt: skip

alert_events = Table(
    "alert_events", metadata, _id(),
    Column("rule_id", UUID, nullable=False),
    Column("rule_name", Text, nullable=False),
    Column("incident", UUID, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text),
    Column("value", Double),
    Column("tags", JSONB, nullable=False, server_default=text("'{}'")),
    _moment("triggered_at"), _moment("resolved_at", optional=True),
    Column("n", BigInteger, Identity(always=True), nullable=False),
    Column("severity", Text, nullable=False),
    Column("summary", Text, nullable=False, server_default=""),
    UniqueConstraint("incident", "status", name="alert_events_incident_status_key"),
    Index("alert_events_rule_id_idx", "rule_id", text("triggered_at DESC")),
    Index("alert_events_triggered_at_idx", text("triggered_at DESC")),
)  # fmt: skip

alert_clock = Table(
    "alert_clock", metadata,
    Column("singleton", Boolean, CheckConstraint("singleton"), primary_key=True, server_default=text("true")),
    _moment("last_tick", optional=True),
    Column("generation", BigInteger, nullable=False, server_default="0"),
)  # fmt: skip

alert_deliveries = Table(
    "alert_deliveries", metadata,
    Column("id", UUID, primary_key=True),
    Column("n", BigInteger, Identity(always=True), nullable=False),
    Column("stream", UUID, nullable=False),
    Column("event_id", UUID, ForeignKey("alert_events.id", ondelete="CASCADE"), nullable=False),
    Column("incident", UUID, nullable=False),
    Column("status", Text, CheckConstraint("status IN ('firing', 'resolved')"), nullable=False),
    Column("type", Text, CheckConstraint("type IN ('email', 'webhook', 'apprise')"), nullable=False),
    Column("target", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="pending"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _moment("first_attempt_at", optional=True), _moment("next_attempt_at", now=True), _moment("claimed_until", optional=True),
    Column("maybe_sent", Boolean, nullable=False, server_default=text("false")),
    _moment("sent_at", optional=True),
    Column("error", Text),
    Index("alert_deliveries_event_id_idx", "event_id"),
    Index("alert_deliveries_incident_idx", "incident"),
    Index("alert_deliveries_pending_idx", "stream", "n", postgresql_where=text("state = 'pending'")),
)  # fmt: skip

alert_silences = Table(
    "alert_silences", metadata, _id(),
    Column("rule_id", UUID, ForeignKey("alert_rules.id", ondelete="CASCADE")),
    Column("tags", JSONB, nullable=False, server_default=text("'{}'")),
    Column("severity", Text),
    _moment("starts_at"), _moment("ends_at"),
    Column("reason", Text, nullable=False, server_default=""),
    Column("owner_id", UUID, ForeignKey("users.id", ondelete="SET NULL")),
    Column("created_by", Text, nullable=False, server_default=""),
    _moment("created_at", now=True),
    Index("alert_silences_ends_at_idx", "ends_at"),
    Index("alert_silences_rule_id_idx", "rule_id"),
    Index("alert_silences_owner_id_idx", "owner_id"),
)  # fmt: skip

published = Table(
    "published", metadata,
    Column("dashboard_id", UUID, ForeignKey("dashboards.id", ondelete="CASCADE"), primary_key=True),
    Column("token", Text, nullable=False),
    _moment("created_at", now=True),
    Index("published_token_key", "token", unique=True),
)  # fmt: skip

reports = Table(
    "reports", metadata, _id(),
    Column("dashboard_id", UUID, ForeignKey("dashboards.id", ondelete="CASCADE"), nullable=False),
    Column("owner_id", UUID, ForeignKey("users.id", ondelete="SET NULL")),
    Column("schedule", JSONB, nullable=False),
    Column("start", Text, nullable=False),
    Column("variables", JSONB, nullable=False, server_default=text("'{}'")),
    Column("emails", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("folder", Text),
    Column("keep", Integer, nullable=False, server_default="30"),
    Column("paused", Boolean, nullable=False, server_default=text("false")),
    _moment("next_at"), _moment("try_at"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _moment("last_at", optional=True),
    Column("error", Text),
    _moment("error_at", optional=True), _moment("created_at", now=True), _moment("updated_at", now=True),
    Index("reports_dashboard_id_idx", "dashboard_id"),
    Index("reports_owner_id_idx", "owner_id"),
    Index("reports_try_at_idx", "try_at", postgresql_where=text("NOT paused")),
)  # fmt: skip

leases = Table(
    "leases", metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    _moment("expires_at"),
)  # fmt: skip

job_runs = Table(
    "job_runs", metadata,
    Column("name", Text, primary_key=True),
    _moment("finished_at"),
    Column("seconds", Double, nullable=False),
    Column("error", Text),
)  # fmt: skip
