"""What is kept: tables, queries and migrations, on SQLite or PostgreSQL."""
