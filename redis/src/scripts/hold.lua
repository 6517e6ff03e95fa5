-- Says that a replica consumes, and gives it its share of the partitions.
-- KEYS: the replicas; then a lease, a token and a stream for each partition.
-- ARGV: the replica, the milliseconds of a lease, the group.
-- Answers with three values for each partition that it holds: which, its lease, and whether it may keep it.
local replica, lasts, group = ARGV[1], ARGV[2], ARGV[3]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
redis.call('ZADD', KEYS[1], string.format('%.0f', now + lasts), replica)
redis.call('PEXPIRE', KEYS[1], lasts)

local replicas = redis.call('ZRANGE', KEYS[1], 0, -1)
table.sort(replicas)
local place = 0
for at, other in ipairs(replicas) do
  if other == replica then place = at - 1 end
end

local held = {}
for at = 2, #KEYS, 3 do
  local lease, token, stream = KEYS[at], KEYS[at + 1], KEYS[at + 2]
  local partition = (at - 2) / 3
  local due = partition % #replicas == place
  local holder = redis.call('GET', lease)
  if due and not holder then
    holder = replica .. ' ' .. redis.call('INCR', token)
    redis.call('SET', lease, holder, 'PX', lasts)
    -- It is there already where others have held it.
    redis.pcall('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
  end
  if holder and string.sub(holder, 1, #replica + 1) == replica .. ' ' then
    redis.call('PEXPIRE', lease, lasts)
    held[#held + 1] = partition
    held[#held + 1] = holder
    held[#held + 1] = due and 1 or 0
  end
end
return held
