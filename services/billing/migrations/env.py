"""Environment of Alembic: the steps run in the transaction of whoever asks for them."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
