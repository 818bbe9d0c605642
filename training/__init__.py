"""Churn and CLV models: trained, judged, tracked and exported as verified bundles."""
