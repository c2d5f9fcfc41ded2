"""A PostgreSQL of a test's own, as `dashapp up` runs one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dashapp.database.embedded import EmbeddedPostgres


@contextmanager
def own_postgres(settings: Mapping[str, str] | None = None, *, directory: str | None = None) -> Iterator[EmbeddedPostgres]:
    """A server that runs until the block ends, in a fresh folder of `directory` that root's database user can enter."""
    with tempfile.TemporaryDirectory(prefix="dashapp-test-", dir=directory, ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        server = EmbeddedPostgres(Path(name), settings)
        server.start()
        try:
            yield server
        finally:
            server.stop()
