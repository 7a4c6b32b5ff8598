"""Ways of taking stock other than in groups: each decides one reservation after the other, and all keep the ledger's rules."""
