"""How messages reach their endpoints: leases, checks, senders and retries."""
