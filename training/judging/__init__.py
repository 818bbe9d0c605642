"""How good models are beside what else could be used: figures, tables and pictures."""
