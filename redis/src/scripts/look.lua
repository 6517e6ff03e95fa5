-- Looks for an answer.
-- KEYS: the answer, then what stands for each kind of resource that it shows.
-- ARGV: what shall stand for a kind of which nothing is known, the milliseconds for which that is remembered.
-- Answers the version of the resources; and, where an answer of that version is kept, it and its milliseconds.
local version = {}
for at = 2, #KEYS do
  local is = redis.call('GET', KEYS[at])
  if not is then
    is = ARGV[1]
    redis.call('SET', KEYS[at], is, 'PX', ARGV[2])
  end
  version[at - 1] = is
end
version = table.concat(version, ' ')
local kept = redis.call('HMGET', KEYS[1], 'version', 'answer')
if kept[1] == version then return {version, kept[2], redis.call('PTTL', KEYS[1])} end
return {version}
