"""Dashboards: what editing, variables and undo need."""

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    text = Path(__file__).with_name("m0004_dashboards.sql").read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(text)
