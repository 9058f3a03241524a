"""Identity: who somebody is: invitations, passwords, sessions, and how often one may guess."""
