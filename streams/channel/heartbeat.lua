-- Tell that a relay lives, and learn whether anybody watches.
-- KEYS: the relays' last heartbeats (hash by relay), whether anybody watches (set by the api processes, expires)
-- ARGV: publish command, channel, relay, heartbeat, seconds to keep, 1 where the relay leaves
-- Returns 1 while anybody watches.

local command, channel, relay, heartbeat, keep, leaving = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
local now = redis.call('TIME')
local stamp = now[1] .. ' '

if leaving == '1' then
  redis.call('HDEL', KEYS[1], relay)
else
  redis.call('HSET', KEYS[1], relay, stamp .. heartbeat)
  redis.call('EXPIRE', KEYS[1], keep)
  local known = redis.call('HGETALL', KEYS[1])
  for number = 1, #known, 2 do -- Whoever was killed did not say goodbye.
    local told = tonumber(string.match(known[number + 1], '^%d+'))
    if not told or told + keep < tonumber(now[1]) then redis.call('HDEL', KEYS[1], known[number]) end
  end
end
redis.call(command, channel, heartbeat)
return redis.call('EXISTS', KEYS[2])
