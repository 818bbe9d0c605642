"""What Alembic runs to migrate: in the transaction, and under the lock, of `Database`."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
