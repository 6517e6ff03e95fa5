-- Ends the answers that show kinds of resources, and tells of the change.
-- KEYS: what stands for each kind. ARGV: what shall stand there from now on, the milliseconds for which that is
-- remembered, the channel, and what is told of each kind.
for at = 1, #KEYS do
  redis.call('SET', KEYS[at], ARGV[1], 'PX', ARGV[2])
  redis.call('PUBLISH', ARGV[3], ARGV[3 + at])
end
return #KEYS
