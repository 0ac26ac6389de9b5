-- How large the share of customers is that a campaign is for, where somebody has changed it. It holds while the live rules say the same of it:
-- first_ppm and most_ppm are what they said when it was set.
CREATE TABLE campaign_shares (
  campaign  TEXT PRIMARY KEY,
  share_ppm INTEGER NOT NULL,
  first_ppm INTEGER NOT NULL,
  most_ppm  INTEGER NOT NULL,
  author    TEXT NOT NULL,
  at        INTEGER NOT NULL
) WITHOUT ROWID;
