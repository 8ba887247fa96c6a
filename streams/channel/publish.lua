-- Store states and then tell them, each only if it is newer than the one stored. All are of one user.
-- A server that was demoted refuses to store, and allows to tell: so nothing is told that is not stored.
-- KEYS: the user's changed jobs (sorted set by position), then each job's latest state (hash)
-- ARGV: publish command, channel, seconds to keep, then for each job: epoch, sequence, head, data, job id
-- Returns for each job: its position where it was published; same: this very version is stored; older: a newer one is; refused: the key holds no state.

local command, channel, keep = ARGV[1], ARGV[2], tonumber(ARGV[3])

local function compare(a, b) -- whole numbers in decimals, too long for Lua's own
  if #a ~= #b then return #a - #b end
  if a == b then return 0 end
  return a < b and -1 or 1
end

local function order(stored, epoch, sequence)
  if not stored then return 1 end
  local stored_epoch, stored_sequence = string.match(stored, '^(%d+)-(%d+)$')
  if not stored_epoch then return nil end
  local by_epoch = compare(epoch, stored_epoch)
  return by_epoch ~= 0 and by_epoch or compare(sequence, stored_sequence)
end

local time = redis.call('TIME')
local position = time[1] * 1000000 + time[2]
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if last[2] and position <= tonumber(last[2]) then position = tonumber(last[2]) + 1 end

local outcomes, changed = {}, {}
for number = 2, #KEYS do
  local key = KEYS[number]
  local at = 4 + (number - 2) * 5
  local epoch, sequence, head, data = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local stored = redis.pcall('HGET', key, 'version')
  local newer = type(stored) ~= 'table' and order(stored, epoch, sequence)
  if not newer then
    outcomes[number - 1] = 'refused'
  elseif newer <= 0 then
    outcomes[number - 1] = newer == 0 and 'same' or 'older'
  else
    local written = string.format('%.0f', position)
    redis.call('HSET', key, 'version', epoch .. '-' .. sequence, 'data', data, 'head', head, 'position', written)
    redis.call('EXPIRE', key, keep)
    local told = redis.pcall(command, channel, head .. ',' .. written .. ']\n' .. data)
    if type(told) == 'table' and told.err then -- Not allowed, for any change of this call.
      redis.call('DEL', key) -- Else the next attempt would find it stored, and not tell it.
      return told
    end
    changed[#changed + 1] = written
    changed[#changed + 1] = ARGV[at + 4]
    outcomes[number - 1] = written
    position = position + 1
  end
end

if #changed > 0 then
  redis.call('ZADD', KEYS[1], unpack(changed))
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', position - keep * 1000000))
  redis.call('EXPIRE', KEYS[1], keep)
end
return outcomes
