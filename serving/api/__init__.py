"""The HTTP API: typed requests and responses, and one shape for every error."""
