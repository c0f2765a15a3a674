"""Indexes of what waits and what is under way, for control's rounds."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

WAITING = sa.text("status = 'queued' AND lease_until IS NULL")
UNDER_WAY = sa.text("lease_until IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_pages_waiting", "pages", ["stage", "job_id", "number"], postgresql_where=WAITING, sqlite_where=WAITING
    )
    op.create_index("ix_pages_under_way", "pages", ["stage"], postgresql_where=UNDER_WAY, sqlite_where=UNDER_WAY)


def downgrade() -> None:
    op.drop_index("ix_pages_under_way", "pages")
    op.drop_index("ix_pages_waiting", "pages")
