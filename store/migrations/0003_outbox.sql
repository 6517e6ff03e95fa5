-- Events that were delivered are kept for a while, so that they can be delivered again; those that were refused too
-- often wait for a person.

-- When its consumer had it; nothing while it waits.
ALTER TABLE store_outbox ADD COLUMN deliver_time BIGINT;
-- 1 once it was refused too often; it is due at the end of time then, and what comes after it waits.
ALTER TABLE store_outbox ADD COLUMN dead BIGINT NOT NULL DEFAULT 0;

-- What waits is found as fast among the rows that are kept as without them.
DROP INDEX store_outbox_by_key;
DROP INDEX store_outbox_by_consumer;
CREATE INDEX store_outbox_by_key ON store_outbox (consumer, project, key, position) WHERE deliver_time IS NULL;
CREATE INDEX store_outbox_by_consumer ON store_outbox (consumer, position) WHERE deliver_time IS NULL;
CREATE INDEX store_outbox_delivered ON store_outbox (deliver_time) WHERE deliver_time IS NOT NULL;
CREATE INDEX store_outbox_dead ON store_outbox (project, position) WHERE dead = 1;
