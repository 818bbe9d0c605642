"""What a customer wrote, as numbers: length, language, sentiment and themes."""
