"""One script per promise; each prints a ratio against a rival or a bound of the same run."""
