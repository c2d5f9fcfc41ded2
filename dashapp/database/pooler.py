"""Whether a URL leads to a transaction pooler, where connections share PostgreSQL's sessions."""

from __future__ import annotations

import psycopg


def shares_sessions(url: str) -> bool:
    """True where one client's transaction runs in a session that another client, still connected, has just used.

    Raises:
        psycopg.OperationalError: it can't be reached.
    """
    ask = "SELECT pg_backend_pid()"
    # Unprepared, because that is what poolers are left in peace by.
    with (
        psycopg.connect(url, autocommit=True, connect_timeout=5, prepare_threshold=None) as first,
        psycopg.connect(url, connect_timeout=5, prepare_threshold=None) as second,
    ):
        # A pooler hands the session that became free last to whoever comes next; some keep several, so more than one try.
        for _ in range(3):
            seen = first.execute(ask).fetchone()
            if second.execute(ask).fetchone() == seen:
                return True
            second.rollback()
    return False
