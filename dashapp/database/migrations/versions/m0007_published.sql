-- Public links: who has one sees its dashboard without an account, until it is revoked.

-- The token stands in the clear, so that its owner can copy the link again. It opens one dashboard, to be read;
-- whoever reads this table could read that dashboard's numbers anyway.
CREATE TABLE published (
    dashboard_id uuid PRIMARY KEY REFERENCES dashboards (id) ON DELETE CASCADE,
    token        text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX published_token_key ON published (token);
