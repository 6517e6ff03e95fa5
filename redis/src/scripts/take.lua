-- Takes one call from a budget (GCRA).
-- KEYS: the budget. ARGV: the microseconds until it has one more, how many it has at once.
-- Answers how many microseconds to wait, 0 when one was taken.
local every, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
-- When it will be full again.
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local earliest = full - every * (burst - 1)
if now < earliest then return math.ceil(earliest - now) end
full = full + every
redis.call('SET', KEYS[1], string.format('%.3f', full), 'PX', math.ceil((full - now) / 1000))
return 0
