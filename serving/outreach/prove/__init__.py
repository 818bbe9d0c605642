"""What contact changed: outcomes, assignments and the effect."""
