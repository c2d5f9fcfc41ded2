"""Scheduled reports."""

from pathlib import Path

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    text = Path(__file__).with_name("m0008_reports.sql").read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(text)
