"""Which application, number, trunk or client answers for an address."""
