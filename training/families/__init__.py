"""The families of models in an ensemble, and how they are fitted and weighed together."""
