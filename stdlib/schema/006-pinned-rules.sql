-- Rules of plugins that something long-lived began under, and may still go by: rules.lua, the files that it requires, and the settings of
-- its time. revision: "r_" and 16 hex digits over all of that. The texts are those of the revisions of the whole shop.
CREATE TABLE plugin_rules (
  id         INTEGER PRIMARY KEY,
  plugin     TEXT NOT NULL,
  revision   TEXT NOT NULL,
  version    TEXT NOT NULL,
  settings   TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (plugin, revision)
);

-- name: of the file, as it is required: "rules".
CREATE TABLE plugin_rule_files (
  rules INTEGER NOT NULL REFERENCES plugin_rules (id),
  name  TEXT NOT NULL,
  text  INTEGER NOT NULL REFERENCES source_texts (id),
  PRIMARY KEY (rules, name)
) WITHOUT ROWID;

-- Rows that were moved to the rules of another revision: who did it, and when (milliseconds UTC).
CREATE TABLE plugin_repins (
  id            INTEGER PRIMARY KEY,
  plugin        TEXT NOT NULL,
  collection    TEXT NOT NULL,
  row           INTEGER NOT NULL,
  field         TEXT NOT NULL,
  from_revision TEXT NOT NULL,
  to_revision   TEXT NOT NULL,
  author        TEXT NOT NULL,
  at            INTEGER NOT NULL
);
CREATE INDEX plugin_repins_by_row ON plugin_repins (plugin, collection, row);
