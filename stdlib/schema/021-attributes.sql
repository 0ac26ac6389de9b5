-- JSON {"name": text, whole number or boolean}; NULL: not stated, a variant then takes its parent's.
ALTER TABLE products ADD COLUMN attributes TEXT;
