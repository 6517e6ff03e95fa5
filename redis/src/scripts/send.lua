-- Puts entries into streams: all of them, or none.
-- KEYS: a stream and its lease for each entry.
-- ARGV: the longest that a stream may be; then where to answer, the entry's number, its trace and its data for each.
-- Answers 'sent', 'unheld' when nobody reads one of the streams, or 'full'.
local longest = tonumber(ARGV[1])
for at = 1, #KEYS, 2 do
  if redis.call('EXISTS', KEYS[at + 1]) == 0 then return 'unheld' end
  if redis.call('XLEN', KEYS[at]) >= longest then return 'full' end
end
for at = 1, #KEYS, 2 do
  local from = 2 + (at - 1) * 2
  redis.call('XADD', KEYS[at], '*', 'reply', ARGV[from], 'number', ARGV[from + 1], 'trace', ARGV[from + 2], 'data', ARGV[from + 3])
end
return 'sent'
