-- Holds what is held for as long again, by the value that it was taken with.
-- KEYS: the key. ARGV: the value, the milliseconds. Answers 1, or 0 when another has it now, or nobody.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
