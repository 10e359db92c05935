"""What is sent to vendors, and what came of it."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "operations",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("mode", sa.String(8), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("listed", sa.Boolean, nullable=False),
        sa.Column("scopes", sa.String(200), nullable=False),
        sa.Column("subject", sa.String(256)),
        sa.Column("key_digest", sa.String(64), unique=True),
        sa.Column("fingerprint", sa.String(64)),
        sa.Column("resource", sa.String(64)),
        sa.Column("guard", sa.String(64)),
        sa.Column("contested", sa.Boolean, nullable=False),
        sa.Column("instrument", sa.String(64)),
        sa.Column("instance", sa.Text, nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("trace_id", sa.String(32), nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("settled_at", sa.BigInteger),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("looked_at", sa.BigInteger),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("evidence", sa.Text),
        sa.Column("answer", sa.Text),
        sa.UniqueConstraint("tenant", "mode", "guard"),
    )
    op.create_index("ix_operations_due_at", "operations", ["due_at"])
    op.create_index("ix_operations_settled_at", "operations", ["settled_at"])
    op.create_index("ix_operations_tenant_mode_id", "operations", ["tenant", "mode", "id"])
    op.create_index("ix_operations_resource", "operations", ["tenant", "mode", "resource"])
    op.create_index("ix_operations_instrument", "operations", ["instrument", "created_at"])
    op.create_table(
        "resource_aliases",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("mode", sa.String(8), primary_key=True),
        sa.Column("kind", sa.String(32), primary_key=True),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("first", sa.String(64), nullable=False),
    )
    op.create_index("ix_resource_aliases_first", "resource_aliases", ["tenant", "mode", "kind", "first"])
