"""Migrations of the operations database, run by Alembic when a database is opened."""
