"""Schema to the newest, by Alembic; and what stands in the way of it, in one sentence."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from dashapp.database import tier
from dashapp.errors import StartupError

MIGRATIONS = Path(__file__).parent / "migrations"
#: One migration at a time, also when several dashapp processes start together.
_MIGRATION_LOCK = 0x6461736861


def sqlalchemy_url(url: str) -> str:
    """
    Raises:
        StartupError: the URL is of another kind of database.
    """
    for scheme in ("postgresql://", "postgres://"):
        if url.startswith(scheme):
            return "postgresql+psycopg://" + url[len(scheme) :]
    raise StartupError("DASHAPP_DATABASE_URL can't be read; write postgresql://user:password@host:5432/name.")


def masked(url: str) -> str:
    """The URL without its password, for messages."""
    try:
        return sa.engine.make_url(url).render_as_string(hide_password=True)
    except sa.exc.ArgumentError:
        return "(unreadable URL)"


def engine_for(url: str) -> sa.Engine:
    """
    Raises:
        StartupError: the URL can't be read.
    """
    known = sqlalchemy_url(url)
    try:
        return sa.create_engine(known, poolclass=sa.NullPool, connect_args={"connect_timeout": 5})
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ValueError):
        raise StartupError("DASHAPP_DATABASE_URL can't be read; write postgresql://user:password@host:5432/name.") from None


def unreachable(url: str, error: BaseException | None) -> StartupError:
    """What to say where connecting failed with `error`."""
    reason = str(error).strip().splitlines()[-1].strip()
    return StartupError(f"the database {masked(url)} can't be reached ({reason}); check DASHAPP_DATABASE_URL and that it runs.")


def _connect(url: str) -> tuple[sa.Engine, Connection]:
    engine = engine_for(url)
    try:
        return engine, engine.connect()
    except sa.exc.OperationalError as error:
        raise unreachable(url, error.orig) from None


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def head() -> str:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return str(ScriptDirectory.from_config(config).get_current_head())


def current(url: str) -> str | None:
    """The schema's revision, or None where there is no schema yet."""
    engine, connection = _connect(url)
    with connection:
        revision = MigrationContext.configure(connection).get_current_revision()
    engine.dispose()
    return revision


def check(url: str) -> str | None:
    """The sentence that says why the schema can't be served as it is, or None.

    Raises:
        StartupError: the database can't be reached, or is of a newer dashapp.
    """
    engine, connection = _connect(url)
    with connection:
        revision = MigrationContext.configure(connection).get_current_revision()
        problem = tier.problem(connection)
    engine.dispose()
    refuse_newer(revision)
    if revision != head():
        return f"the database's schema is {revision or 'empty'} and this dashapp needs {head()}; run `dashapp migrate`."
    return problem


def refuse_newer(revision: str | None) -> None:
    """
    Raises:
        StartupError: this dashapp doesn't know the revision.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise StartupError(f"the database has the schema {revision!r} of a newer dashapp; upgrade dashapp or use another database.")


def migrate(url: str) -> str:
    """Bring the schema to the newest revision and return it.

    Raises:
        StartupError: the database can't be reached, is of a newer dashapp, or no longer fits its storage tier.
    """
    engine, connection = _connect(url)
    with connection, connection.begin():
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        refuse_newer(MigrationContext.configure(connection).get_current_revision())
        if problem := tier.problem(connection):
            raise StartupError(problem)
        command.upgrade(_config(connection), "head")
    engine.dispose()
    return head()
