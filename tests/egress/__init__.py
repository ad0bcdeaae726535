"""Who may be connected to: spellings, addresses, policy and sockets."""
