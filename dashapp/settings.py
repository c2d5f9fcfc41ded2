"""Settings: environment variables ``DASHAPP_*`` and ``.env``, read once into one object."""

from __future__ import annotations

import os
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from dashapp.contract.addresses import on_this_machine
from dashapp.contract.durations import Retention, Span
from dashapp.errors import StartupError
from dashapp.logs import Format, Level


def default_data_dir() -> Path:
    """Root's data lies where a service's does, outside the closed ``/root``; everyone else's in their home."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/dashapp")
    return platformdirs.user_data_path("dashapp")


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="DASHAPP_", env_file=".env", extra="ignore")

    database_url: str = Field(
        default="",
        description="PostgreSQL server, `postgresql://user:password@host/name`; empty starts the embedded one.",
    )
    data_dir: Path = Field(
        default_factory=default_data_dir, description="Where the embedded database, the secret key and the agent's spool lie."
    )
    host: str = Field(default="127.0.0.1", description="Address that the server binds to.")
    port: int = Field(default=5006, ge=0, le=65535, description="Port that the server binds to; 0 takes a free one.")
    secret_key: SecretStr = Field(
        default=SecretStr(""), description="Signs page sessions; generated into the data directory when empty."
    )
    admin_email: str = Field(default="admin@localhost", description="E-mail of the first admin.")
    admin_password: SecretStr = Field(
        default=SecretStr(""), description="Password of the first admin; without one, the sign-in link is the way in."
    )
    retention_raw: Retention = Field(default=timedelta(days=7), description="How long samples are kept; `forever` or e.g. `7d`.")
    retention_1min: Retention = Field(default=timedelta(days=30), description="How long 1-minute rollups are kept.")
    retention_1hour: Retention = Field(default=timedelta(days=365), description="How long 1-hour rollups are kept.")
    cache_url: SecretStr = Field(
        default=SecretStr(""),
        description="Redis or Valkey in which processes share answers, `redis://:password@host:6379/0`; empty: in the process.",
    )
    max_series: int = Field(default=1_000_000, ge=1, description="Refuse new series beyond so many.")
    smtp_url: SecretStr = Field(
        default=SecretStr(""), description="Mail server, `smtps://user:password@host:465` or `smtp://host:587`."
    )
    mail_from: str = Field(default="", description="Sender of mails; `dashapp@` the mail server's host when empty.")
    reports_dir: str = Field(
        default="", description="Below it lie the folders of scheduled reports; `reports` in the data directory when empty."
    )
    webhook_allow_private: bool = Field(default=False, description="Let webhooks go to private and loopback addresses.")
    webhook_secret: SecretStr = Field(default=SecretStr(""), description="Signs webhooks; unsigned when empty.")
    alert_interval: Span = Field(default=timedelta(seconds=10), description="Time between two ticks of alert rules, e.g. `10s`.")
    base_url: str = Field(default="", description="Address under which users reach dashapp, e.g. `https://metrics.example.org`.")

    log_format: Format = Field(default="text", description="`text` for people, `json` for programs: one object a line.")
    log_level: Level = Field(default="warning", description="`debug`, `info` (a line a request), `warning` or `error`.")
    rate_limit: int = Field(default=200, ge=0, description="Requests a second that one user or token may send; 0 knows no limit.")
    session_idle: Span = Field(default=timedelta(days=30), description="A sign-in ends this long after it was last used.")
    session_lifetime: Retention = Field(
        default=timedelta(days=90),
        description="A sign-in ends this long after it was made, used or not; `forever` for wall displays.",
    )

    oidc_issuer: str = Field(
        default="",
        description="OpenID Connect provider to sign in with, e.g. `https://id.example.org/realms/main`; none when empty.",
    )
    oidc_client_id: str = Field(default="", description="What the provider calls this dashapp.")
    oidc_client_secret: SecretStr = Field(default=SecretStr(""), description="Its secret there; empty for a public client.")
    oidc_name: str = Field(default="single sign-on", description="What the button calls the provider.")
    oidc_domains: str = Field(
        default="", description="Domains of the e-mails that may sign in by it, with commas between; empty lets all."
    )
    oidc_role: Literal["none", "viewer", "editor"] = Field(
        default="viewer", description="Role of accounts made at the first sign-in; `none` makes no accounts."
    )

    @field_validator("oidc_issuer")
    @classmethod
    def _safe_issuer(cls, url: str) -> str:
        parts = urlsplit(url)
        local = parts.scheme == "http" and on_this_machine(url)
        if url and not (parts.hostname and (parts.scheme == "https" or local)):
            raise ValueError("takes the provider's https:// address, as its discovery document names it")
        return url

    @model_validator(mode="after")
    def _known_client(self) -> Settings:
        if self.oidc_issuer and not self.oidc_client_id:
            raise ValueError("OIDC_ISSUER needs OIDC_CLIENT_ID, too")
        return self

    @field_validator("cache_url")
    @classmethod
    def _known_cache(cls, url: SecretStr) -> SecretStr:
        if url.get_secret_value() and not url.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("takes redis://host:6379/0, rediss:// with TLS, or unix:///path/to/socket")
        return url

    @model_validator(mode="after")
    def _retention_order(self) -> Settings:
        def days(span: timedelta | None) -> float:
            return float("inf") if span is None else span / timedelta(days=1)

        if days(self.retention_raw) < 1:
            raise ValueError("RETENTION_RAW must be at least 1d")
        if not days(self.retention_raw) <= days(self.retention_1min) <= days(self.retention_1hour):
            raise ValueError("retention must not shrink with coarseness: RETENTION_RAW <= RETENTION_1MIN <= RETENTION_1HOUR")
        return self

    @model_validator(mode="after")
    def _whole_seconds(self) -> Settings:
        seconds = self.alert_interval.total_seconds()
        if seconds % 1 or not 1 <= seconds <= 3600:
            raise ValueError("ALERT_INTERVAL is whole seconds, from 1s to 1h")
        return self

    @property
    def embedded(self) -> bool:
        """True where dashapp runs its own PostgreSQL."""
        return not self.database_url

    @property
    def public_url(self) -> str:
        """The address that links in mails and messages start with, without a slash at the end."""
        return self.base_url.rstrip("/") or local_url(self.host, self.port)

    @property
    def reports_folder(self) -> Path:
        return Path(self.reports_dir) if self.reports_dir else self.data_dir / "reports"

    def key(self) -> str:
        """The secret key, made and stored on first use.

        Raises:
            StartupError: the data directory can't be written.
        """
        if self.secret_key.get_secret_value():
            return self.secret_key.get_secret_value()
        path = self.data_dir / "secret_key"
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                fresh = path.with_suffix(f".{os.getpid()}")
                fresh.touch(mode=0o600)
                fresh.write_text(secrets.token_hex(32))
                fresh.rename(path)
            return path.read_text().strip()
        except OSError as error:
            raise StartupError(
                f"the data directory {self.data_dir} can't be written ({error.strerror}); choose another with --data-dir."
            ) from None


def local_url(host: str, port: int) -> str:
    """The address of a server that is bound to `host`, from its own machine."""
    name = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    return f"http://{f'[{name}]' if ':' in name else name}:{port}"


def load(**overrides: object) -> Settings:
    """The settings; what is given and not None wins over the environment.

    Raises:
        StartupError: a setting has a value that it can't have.
    """
    try:
        return Settings(**{key: value for key, value in overrides.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = "".join(f"DASHAPP_{str(part).upper()}: " for part in first["loc"])
        raise StartupError(f"{name}{str(first['msg']).removeprefix('Value error, ')}.") from None
