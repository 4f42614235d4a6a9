"""The plain page for people: accounts, numbers, the last calls and their time lines."""
