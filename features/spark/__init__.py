"""The same facts, features and labels on Spark: our SQL texts, run by another engine."""
