"""A browser's context, as the tests of pages have it."""

from tests.pages.conftest import anonymous, chromium

__all__ = ["anonymous", "chromium"]
