"""The storage tier: chosen by what the server can do, and never another afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from dashapp.database import migrate, tier
from dashapp.database.pooler import shares_sessions
from dashapp.errors import StartupError
from tests.timescale import Timescale


@contextmanager
def _stored(url: str, other: str) -> Iterator[None]:
    """As if the first migration had chosen `other`."""
    with psycopg.connect(url, autocommit=True) as connection:
        before = connection.execute("SELECT tier FROM storage").fetchone()
        assert before is not None
        connection.execute("UPDATE storage SET tier = %s", (other,))
        try:
            yield
        finally:
            connection.execute("UPDATE storage SET tier = %s", before)


def _tier(url: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT tier FROM storage").fetchone()
        return row and row[0]


def test_the_first_migration_chooses_by_what_the_server_can_do(empty_database_url: str, timescale: Timescale) -> None:
    migrate.migrate(empty_database_url)
    assert _tier(empty_database_url) == tier.POSTGRES
    assert _tier(timescale.url) == tier.TIMESCALEDB
    for url in (empty_database_url, timescale.url):
        assert migrate.check(url) is None
        assert migrate.migrate(url) == migrate.head()


def test_a_server_that_lost_timescaledb_ends_the_start_in_one_sentence(database_url: str) -> None:
    with _stored(database_url, tier.TIMESCALEDB):
        with pytest.raises(StartupError, match=r"tier timescaledb.* is gone"):
            migrate.migrate(database_url)
        assert "is gone" in str(migrate.check(database_url))
        assert _tier(database_url) == tier.TIMESCALEDB


def test_a_database_that_won_timescaledb_ends_the_start_in_one_sentence(timescale: Timescale) -> None:
    with _stored(timescale.url, tier.POSTGRES):
        with pytest.raises(StartupError, match=r"tier postgres.* has TimescaleDB 2\.23"):
            migrate.migrate(timescale.url)
        assert "never changes" in str(migrate.check(timescale.url))


@pytest.mark.parametrize(
    ("version", "licence", "capable", "new_enough"),
    [
        ("2.23.0-dev", "timescale", True, True), ("2.23.0", "apache", False, True), ("2.18.0", None, False, True),
        ("2.17.2", "timescale", True, False), ("3.0", "timescale", True, True),
    ],
)  # fmt: skip
def test_the_licence_counts_and_so_does_the_version(version: str, licence: str | None, capable: bool, new_enough: bool) -> None:
    found = tier.Installed(version, licence)
    assert (found.capable, found.new_enough) == (capable, new_enough)


def test_a_transaction_pooler_is_told_from_postgresql_itself(database_url: str, timescale: Timescale) -> None:
    assert not shares_sessions(database_url)
    # The server of the tests lends its one session from transaction to transaction, as a pooler does.
    assert shares_sessions(timescale.url)
