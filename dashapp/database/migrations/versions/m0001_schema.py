"""The whole schema of the first release. The SQL is frozen here; `dashapp.database.schema` says what stands now."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    text = Path(__file__).with_name("m0001_schema.sql").read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(text)
