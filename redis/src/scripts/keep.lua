-- Keeps an answer. KEYS: the answer. ARGV: its version, what it is, its milliseconds.
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'answer', ARGV[2])
return redis.call('PEXPIRE', KEYS[1], ARGV[3])
