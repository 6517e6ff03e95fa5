-- Takes a lock, unless another has it.
-- KEYS: the lock, its last fence. ARGV: the owner, the milliseconds that it lasts.
-- Answers the fence, which is greater than any before, or 0 when another has it.
local owner, lasts = ARGV[1], ARGV[2]
local held = redis.call('GET', KEYS[1])
if held then
  local known, fence = string.match(held, '^(%S+) (%d+)$')
  if known ~= owner then return '0' end
  redis.call('PEXPIRE', KEYS[1], lasts)
  return fence
end
-- By the time, so that it grows even where the last one was forgotten with everything else.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local fence = math.max(tonumber(redis.call('GET', KEYS[2]) or 0) + 1, now)
fence = string.format('%.0f', fence)
redis.call('SET', KEYS[2], fence)
redis.call('SET', KEYS[1], owner .. ' ' .. fence, 'NX', 'PX', lasts)
return fence
