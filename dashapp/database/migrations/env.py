"""Alembic's entry: always on the connection that `dashapp.database.migrate` hands in."""

from alembic import context

from dashapp.database.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
