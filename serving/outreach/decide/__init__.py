"""Whom to contact: candidates, the policy, and plans written down."""
