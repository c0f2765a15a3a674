"""What the page shows: names of jobs, and how long stages took lately."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    with op.batch_alter_table("jobs") as batch_op:
        batch_op.add_column(sa.Column("name", sa.Text(), nullable=True))
    with op.batch_alter_table("attempts") as batch_op:
        batch_op.create_index(op.f("ix_attempts_stage_ended_at"), ["stage", "ended_at"])


def downgrade() -> None:
    with op.batch_alter_table("attempts") as batch_op:
        batch_op.drop_index(op.f("ix_attempts_stage_ended_at"))
    with op.batch_alter_table("jobs") as batch_op:
        batch_op.drop_column("name")
