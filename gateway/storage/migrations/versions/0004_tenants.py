"""Tenants, their credentials, whose vendor accounts are whose, and renewed bearers."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, and the one row that counts changes."""
    op.create_table(
        "tenants",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("cname_target", sa.String(255)),
        sa.Column("cors_origins", sa.JSON, nullable=False),
    )
    op.create_table(
        "tenant_credentials",
        sa.Column("tenant", sa.String(64), sa.ForeignKey("tenants.name", ondelete="CASCADE"), primary_key=True),
        sa.Column("slot", sa.String(64), primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("sealed", sa.Text),
        sa.Column("set_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "vendor_account_claims",
        sa.Column("fingerprint", sa.String(64), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False, index=True),
        sa.Column("slot", sa.String(64), nullable=False),
    )
    revisions = op.create_table(
        "tenant_revision",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(revisions, [{"id": 1, "revision": 0}])
    op.create_table(
        "kept_bearers",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("origin", sa.String(64), primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("sealed", sa.Text),
        sa.Column("kept_at", sa.BigInteger, nullable=False),
        sa.Column("renewed_by", sa.String(64)),
        sa.Column("renewed_until", sa.BigInteger, nullable=False),
    )
