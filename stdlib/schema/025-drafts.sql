-- Changes on their way: submitted, approved, waiting for their time. Times are milliseconds UTC.

-- state: 'draft' (again), 'submitted', 'approved', 'live', 'ended', 'withdrawn'. base: the generation that was live when it was submitted; it
-- goes live on that one only. hash: over everything that can change the outcome, which is what people approve. steps: [{"name", "roles"}],
-- those it needs by the rules of base. changes, findings: JSON lists for whoever looks at it. why: why it is a draft again.
CREATE TABLE drafts (
  id            INTEGER PRIMARY KEY,
  draft         TEXT NOT NULL UNIQUE,
  revision      INTEGER NOT NULL REFERENCES revisions (id),
  generation    TEXT NOT NULL,
  base          TEXT NOT NULL,
  hash          TEXT NOT NULL,
  state         TEXT NOT NULL,
  author        TEXT NOT NULL,
  steps         TEXT NOT NULL,
  second_factor INTEGER NOT NULL,
  changes       TEXT NOT NULL,
  findings      TEXT NOT NULL,
  note          TEXT NOT NULL,
  why           TEXT NOT NULL DEFAULT '',
  go_live_at    INTEGER,
  submitted_at  INTEGER NOT NULL,
  created_at    INTEGER NOT NULL,
  changed_at    INTEGER NOT NULL
);
CREATE INDEX drafts_by_state ON drafts (state, go_live_at);

-- Everybody who had a hand in it; none of them approves it.
CREATE TABLE draft_authors (
  draft  INTEGER NOT NULL REFERENCES drafts (id),
  author TEXT NOT NULL,
  PRIMARY KEY (draft, author)
) WITHOUT ROWID;

-- hash: what was approved. void_at: from then on it does not count, and void_why says why.
CREATE TABLE draft_approvals (
  id       INTEGER PRIMARY KEY,
  draft    INTEGER NOT NULL REFERENCES drafts (id),
  step     TEXT NOT NULL,
  operator TEXT NOT NULL,
  hash     TEXT NOT NULL,
  note     TEXT NOT NULL,
  at       INTEGER NOT NULL,
  void_at  INTEGER,
  void_why TEXT
);
CREATE INDEX draft_approvals_by_draft ON draft_approvals (draft);

-- Why a generation might go live where approvals are asked for: 'drf_...', or 'no-steps', which its change needed none of. NULL: nobody
-- approved it, so nobody goes back to it either.
ALTER TABLE generations ADD COLUMN warrant TEXT;
