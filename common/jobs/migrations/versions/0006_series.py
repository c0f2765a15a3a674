"""Series: references and corrected colours that chapters have in common, and the colours that hold for a job; uploads
are found by their bytes."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "series",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("references_", sa.JSON(), nullable=False),
        sa.Column("colours", sa.JSON(), nullable=False),
        sa.Column("stored_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_series_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series")),
    )
    op.create_index(op.f("ix_series_tenant_id_name"), "series", ["tenant_id", "name"], unique=True)
    op.create_index(op.f("ix_series_tenant_id_id"), "series", ["tenant_id", "id"])
    op.create_index(op.f("ix_uploads_tenant_id_sha256"), "uploads", ["tenant_id", "sha256"])
    with op.batch_alter_table("jobs") as batch_op:
        batch_op.add_column(sa.Column("series_id", sa.String(32), nullable=True))
        batch_op.add_column(sa.Column("colours", sa.JSON(), nullable=False, server_default="[]"))
        batch_op.create_index(op.f("ix_jobs_series_id"), ["series_id"])
        batch_op.create_foreign_key(op.f("fk_jobs_series_id"), "series", ["series_id"], ["id"], ondelete="SET NULL")


def downgrade() -> None:
    with op.batch_alter_table("jobs") as batch_op:
        batch_op.drop_constraint(op.f("fk_jobs_series_id"), type_="foreignkey")
        batch_op.drop_index(op.f("ix_jobs_series_id"))
        batch_op.drop_column("colours")
        batch_op.drop_column("series_id")
    op.drop_index(op.f("ix_uploads_tenant_id_sha256"), "uploads")
    op.drop_table("series")
