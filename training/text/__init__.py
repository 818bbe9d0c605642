"""What `features.text` reads texts with, learned."""
