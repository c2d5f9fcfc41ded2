"""Public links to dashboards."""

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    text = Path(__file__).with_name("m0007_published.sql").read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(text)
