"""Where messages go besides webhooks: files, e-mail, HubSpot and Salesforce."""
