"""The Python client: asks and feeds a dashapp over its API, from programs and notebooks.

`connect` answers a `Client`, `connect_async` an `AsyncClient`; what they do is written once, in `AsyncClient`. pandas and
pyarrow are loaded when a table is first made.
"""

from dashapp.client.asynchronous import AsyncClient, connect_async
from dashapp.client.sync import Client, connect

__all__ = ["AsyncClient", "Client", "connect", "connect_async"]
