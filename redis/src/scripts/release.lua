-- Gives up what is held, by the value that it was taken with.
-- KEYS: the key. ARGV: the value. Answers 1, or 0 when another has it now.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
