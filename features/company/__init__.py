"""A generated company with planted, known effects."""
