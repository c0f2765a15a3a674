"""Evaluations: jobs without a reference model, of two sets of pictures."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("jobs") as batch_op:
        batch_op.add_column(sa.Column("sets", sa.JSON(none_as_null=True), nullable=True))
        batch_op.alter_column("model_key", existing_type=sa.String(length=64), nullable=True)


def downgrade() -> None:
    # Evaluations have rows of number 0 only, as whole sets have, which the code of before would take for pages.
    op.execute("DELETE FROM attempts WHERE number = 0")
    op.execute("DELETE FROM pages WHERE number = 0")
    op.execute("DELETE FROM jobs WHERE model_key IS NULL")
    with op.batch_alter_table("jobs") as batch_op:
        batch_op.alter_column("model_key", existing_type=sa.String(length=64), nullable=False)
        batch_op.drop_column("sets")
