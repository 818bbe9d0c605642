"""When churn comes: a curve over the days for each customer."""
