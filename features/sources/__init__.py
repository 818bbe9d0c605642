"""Files and database tables, read as text."""
