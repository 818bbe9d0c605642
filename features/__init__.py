"""What was known about each customer at a cutoff: sources, contracts, features and labels."""
