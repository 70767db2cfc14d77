"""Jobs in a database: store, leases, worker and webhooks."""
