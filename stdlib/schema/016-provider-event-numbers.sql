-- What providers told and did not fit, by the payment it was about.
CREATE INDEX provider_events_mismatched ON provider_events (number) WHERE outcome = 'mismatched';
