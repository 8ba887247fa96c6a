-- Store a state and tell it, only if it is newer than the one stored.
-- KEYS: the job's latest state (hash), the user's changed jobs (sorted set by position)
-- ARGV: publish command, channel, epoch, sequence, head, data, job id, seconds to keep
-- Returns the position, 0 where this very version is stored already, -1 where a newer one is.

local function compare(a, b) -- whole numbers in decimals, too long for Lua's own
  if #a ~= #b then return #a - #b end
  if a == b then return 0 end
  return a < b and -1 or 1
end

local stored = redis.call('HGET', KEYS[1], 'version')
if stored then
  local epoch, sequence = string.match(stored, '^(%d+)-(%d+)$')
  local order = compare(ARGV[3], epoch)
  if order == 0 then order = compare(ARGV[4], sequence) end
  if order == 0 then return 0 end
  if order < 0 then return -1 end
end

local time = redis.call('TIME')
local position = time[1] * 1000000 + time[2]
local last = redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')
if last[2] and position <= tonumber(last[2]) then position = tonumber(last[2]) + 1 end
local written = string.format('%.0f', position)

redis.call('HSET', KEYS[1], 'version', ARGV[3] .. '-' .. ARGV[4], 'data', ARGV[6], 'head', ARGV[5], 'position', written)
redis.call('EXPIRE', KEYS[1], ARGV[8])
redis.call('ZADD', KEYS[2], written, ARGV[7])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('(%.0f', position - ARGV[8] * 1000000))
redis.call('EXPIRE', KEYS[2], ARGV[8])
redis.call(ARGV[1], ARGV[2], ARGV[5] .. ' ' .. written .. '\n' .. ARGV[6])
return written
