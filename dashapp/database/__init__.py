"""Floor 1: the connection pool, the embedded server, migrations, leases, and how SQL files and arrays are read."""
