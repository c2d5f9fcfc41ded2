"""The migrations and `dashapp.database.schema` say the same."""

from __future__ import annotations

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from dashapp.database import migrate, schema
from dashapp.errors import StartupError


def test_schema_is_what_the_migrations_make(empty_database_url: str) -> None:
    assert migrate.check(empty_database_url)
    migrate.migrate(empty_database_url)
    assert migrate.check(empty_database_url) is None
    with migrate.engine_for(empty_database_url).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": False})
        assert compare_metadata(context, schema.metadata) == []


def test_migrating_twice_changes_nothing(empty_database_url: str) -> None:
    assert migrate.migrate(empty_database_url) == migrate.migrate(empty_database_url) == migrate.head()


def test_a_newer_schema_is_refused_in_one_sentence(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    for function in (migrate.migrate, migrate.check):
        with pytest.raises(StartupError, match="schema '9999' of a newer dashapp"):
            function(database_url)


def test_an_unreachable_server_is_named_without_its_password() -> None:
    with pytest.raises(StartupError, match="can't be reached") as caught:
        migrate.migrate("postgresql://someone:hunter2@127.0.0.1:1/nowhere")
    assert "hunter2" not in str(caught.value)
