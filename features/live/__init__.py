"""Features of one customer from rows given in a call: the declarations as plain Python."""
