"""Whose turn it is among tenants, and how long a job is kept."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    with op.batch_alter_table("tenants") as batch_op:
        batch_op.add_column(sa.Column("deficit", sa.Float(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("turn_at", sa.Float(), nullable=False, server_default="0"))
    with op.batch_alter_table("jobs") as batch_op:
        batch_op.add_column(sa.Column("keep_days", sa.Float(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("jobs") as batch_op:
        batch_op.drop_column("keep_days")
    with op.batch_alter_table("tenants") as batch_op:
        batch_op.drop_column("turn_at")
        batch_op.drop_column("deficit")
