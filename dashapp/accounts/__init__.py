"""Who someone is and what they may do: users, sign-in, sessions, tokens, permissions."""
