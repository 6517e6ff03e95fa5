-- Answers the sender of an entry, and removes the entry when its lease is still held.
-- KEYS: the stream, the lease.
-- ARGV: what the lease was when the entry was read, the group, the entry's id, where to answer, the answer.
-- Answers 1, or 0 when another has the lease now.
if ARGV[4] ~= '' then
  -- What has happened has happened, whoever holds the lease by now.
  redis.call('PUBLISH', ARGV[4], ARGV[5])
end
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('XACK', KEYS[1], ARGV[2], ARGV[3])
redis.call('XDEL', KEYS[1], ARGV[3])
return 1
