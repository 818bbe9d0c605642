"""Sources mapped, typed, judged row by row and written as a snapshot."""
