"""Billing: the ledger of a stack: usage as it was metered, what it costs, invoices, and the journal of money."""
