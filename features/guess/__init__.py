"""What `setia init` makes of files it has not seen: mappings, settings, and how sure it is."""
