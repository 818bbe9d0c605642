"""What contact changes: learned from a randomised trial, and used only where it is proved."""
