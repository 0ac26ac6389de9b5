-- Orders that have ended and are still a certain customer's, by when they ended: after a stated time they are nobody's.
CREATE INDEX orders_ended ON orders (updated_at) WHERE state >= 5 AND customer IS NOT NULL;
