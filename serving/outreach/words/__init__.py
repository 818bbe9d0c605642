"""What is said: templates, and what they would say."""
