"""Scores, reasons and the at-risk list, in batch and over HTTP."""
