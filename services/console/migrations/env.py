"""Environment of Alembic: the steps run in the transaction of whoever asks for them, in the console's schema."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table_schema="console")
context.run_migrations()
