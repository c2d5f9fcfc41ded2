"""Commands against a running dashapp, one for each module that asks for it, are tested with the fixtures of the client's tests."""

from tests.client.conftest import client, data_dir, running

__all__ = ["client", "data_dir", "running"]
