local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local algorithm, per, count = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local burst, wanted = tonumber(ARGV[4]), tonumber(ARGV[5])

if algorithm == 0 then
  local one = per / count
  local all = one * burst
  local full = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
  local granted = math.min(math.floor((all - (full - now)) / one + 0.001), wanted)
  if granted < 1 then
    return {0, math.max(math.ceil(full + one - now - all), 1)}
  end
  full = full + granted * one
  local left = math.ceil((full - now) / 1000) + 1000
  redis.call('SET', KEYS[1], string.format('%.2f', full), 'PX', string.format('%.0f', left))
  return {granted, 0}
end

local index = math.floor(now / per)
local left = per - (now - index * per)
local known = redis.call('HMGET', KEYS[1], 'index', 'before', 'here')
local at = tonumber(known[1] or '-2')
local before, here = tonumber(known[2] or '0'), tonumber(known[3] or '0')
if at == index - 1 then
  before, here = here, 0
elseif at ~= index then
  before, here = 0, 0
end
local reach = algorithm == 1 and before * left / per or 0
local granted = math.min(math.floor(count - here - reach + 0.000001), wanted)
if granted < 1 then
  local wait = left
  if algorithm == 1 and here < count and before > 0 then
    wait = left - per * (count - here - 1) / before
  end
  return {0, math.max(math.ceil(wait), 1)}
end
redis.call('HSET', KEYS[1], 'index', string.format('%.0f', index), 'before', before, 'here', here + granted)
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.ceil(per / 500)))
return {granted, 0}
