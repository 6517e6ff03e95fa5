-- How a call with an idempotency key was refused, for its repeats: the protobuf of a google.rpc.Status. Older
-- versions see a key whose call has not ended, and say so to its repeats.
ALTER TABLE store_keys ADD COLUMN refusal BYTEA;
