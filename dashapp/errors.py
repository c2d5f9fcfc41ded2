"""The error family.

Every error that a user or a program may see is one of these. ``str(error)`` is one sentence: what is
wrong, where, and what would be right. Anything else that is raised is a bug and answers 500.
"""

from __future__ import annotations

from collections.abc import Mapping


class DashappError(Exception):
    """Something went wrong inside dashapp."""

    #: HTTP status with which the API answers.
    status: int = 500
    #: Machine-readable name in the API's error body.
    code: str = "INTERNAL_ERROR"

    def __init__(
        self,
        message: str | None = None,
        *,
        details: Mapping[str, str] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message or (self.__doc__ or "").strip().splitlines()[0])
        #: Field path to message, for errors in a body or a query string.
        self.details = dict(details or {})
        #: Seconds after which trying again makes sense.
        self.retry_after = retry_after


class ValidationFailed(DashappError):
    """The request breaks the schema."""

    status, code = 400, "VALIDATION_ERROR"


class Unauthorized(DashappError):
    """Sign in, or send a valid token in the Authorization header."""

    status, code = 401, "UNAUTHORIZED"


class Forbidden(DashappError):
    """You are not allowed to do this."""

    status, code = 403, "FORBIDDEN"


class NotFound(DashappError):
    """There is no such thing here."""

    status, code = 404, "NOT_FOUND"


class Conflict(DashappError):
    """Someone else changed this in the meantime; reload and try again."""

    status, code = 409, "CONFLICT"


class PayloadTooLarge(DashappError):
    """The body is larger than the limit."""

    status, code = 413, "PAYLOAD_TOO_LARGE"


class RateLimited(DashappError):
    """Too many requests; wait and try again."""

    status, code = 429, "RATE_LIMITED"


class Unavailable(DashappError):
    """The database can't be reached; try again shortly."""

    status, code = 503, "UNAVAILABLE"

    def __init__(self, message: str | None = None, *, retry_after: int = 2) -> None:
        super().__init__(message, retry_after=retry_after)


class StartupError(DashappError):
    """dashapp can't start as configured. The command line prints the sentence and exits with 2."""
