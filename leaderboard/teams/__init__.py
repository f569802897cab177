"""Teams: membership, invitations, the class list."""
