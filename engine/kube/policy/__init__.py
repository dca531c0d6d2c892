"""NetworkPolicy: what it means (semantics), and the rows that a policy engine makes of it."""
