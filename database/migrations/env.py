"""What Alembic runs to migrate: on the connection, and in the transaction, that `database.sql` hands over.

It opens nothing of its own, so that the lock which keeps other processes out also covers the migration.
"""

from alembic import context

from database.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
