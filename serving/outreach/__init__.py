"""Outreach: whom to contact, how it is delivered, and what it changed."""
