"""The subcommands of `setia`, the steps they share, and how results look on a terminal."""
