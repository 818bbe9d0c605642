"""Buy-till-you-die models: when customers order again, until when, and how much, by likelihood."""
