"""The search for better boosting settings."""
