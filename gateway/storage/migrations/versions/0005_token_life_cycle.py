"""Rotation with overlap, limits of a token's own, its last use, and a number that tells of changes."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, and the one row that counts changes."""
    op.add_column("tokens", sa.Column("created_by", sa.Text))
    op.add_column("tokens", sa.Column("last_used_at", sa.BigInteger))
    op.add_column("tokens", sa.Column("limit_per_minute", sa.Integer))
    op.add_column("tokens", sa.Column("limit_money_per_minute", sa.Integer))
    op.add_column("tokens", sa.Column("rotations", sa.Integer, nullable=False, server_default="0"))
    op.create_index("ix_tokens_created_at_id", "tokens", ["created_at", "id"])
    op.add_column("token_secrets", sa.Column("expires_at", sa.BigInteger))
    changes = op.create_table(
        "token_changes",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(changes, [{"id": 1, "number": 0}])
