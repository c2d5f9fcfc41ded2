"""Accounts: audit log, limits, sign-in providers."""

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    text = Path(__file__).with_name("m0005_accounts.sql").read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(text)
