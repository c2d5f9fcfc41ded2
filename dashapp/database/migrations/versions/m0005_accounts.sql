-- Accounts: audit log, limits, sign-in providers.
SELECT 1;
