"""The record of who did what."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "audit_events",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("tenant", sa.String(64)),
        sa.Column("mode", sa.String(8)),
        sa.Column("actor", sa.String(600), nullable=False),
        sa.Column("subject", sa.String(256)),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("target", sa.JSON, nullable=False),
        sa.Column("outcome", sa.String(64), nullable=False),
        sa.Column("request_id", sa.String(64)),
        sa.Column("trace_id", sa.String(32)),
    )
    op.create_index("ix_audit_events_tenant_id", "audit_events", ["tenant", "id"])
