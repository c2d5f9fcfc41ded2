"""The whole schema of the first release, on the storage tier that the server can do.

The SQL is frozen here; `dashapp.database.schema` says what stands now on the tier ``postgres``.
"""

from pathlib import Path

from alembic import op

from dashapp.database import tier

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    for part in ("schema", tier.choose(connection)):
        connection.exec_driver_sql(Path(__file__).with_name(f"m0001_{part}.sql").read_text(encoding="utf-8"))
