-- Since when what is live claims something of prices: a campaign, or an announcement, of this id. A row goes when it claims nothing any more. So
-- nobody can say afterwards that a reduction began earlier, when the days before it were better. Milliseconds UTC.
CREATE TABLE claim_starts (
  campaign TEXT PRIMARY KEY,
  since_ms INTEGER NOT NULL
) WITHOUT ROWID;
