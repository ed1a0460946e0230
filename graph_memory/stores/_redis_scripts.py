"""The Lua scripts of the Redis store: what must happen at once. Every key that a script touches is named in KEYS.

A namespace has a directory entry and four keys: order (a sorted set, item key by minus its time of update, so that it reads
newest first), rows (a hash, item key to index row), expiry (a sorted set, item key by the millisecond at which it expires)
and meta (a hash: born, last, removed, dims). Times are those of the server; within a namespace they only ever grow, one
microsecond per write, so that whoever knows everything up to a time can ask for what came after it. An item is a text: a line
"created updated ttl holder token" and its JSON. When all items of a namespace expire, so do its keys; elsewhere expired
members are swept along with writes and reads.
"""

from __future__ import annotations

from graph_memory.redis_rounds import Script

_COMMON = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local ms = math.floor(now / 1000)
local ORDER, ROWS, EXPIRY, META = 1, 2, 3, 4

local function text(number) return string.format('%.0f', number) end

local function head(item)
  local line = redis.call('GETRANGE', item, 0, 159)
  if line == '' then return nil end
  return {string.match(line, '^(%d+) (%d+) (%d+) (%S+) (%S+)\\n')}
end

local function sweep(space, most)
  local due = redis.call('ZRANGEBYSCORE', KEYS[space + EXPIRY], '-inf', ms, 'LIMIT', 0, most)
  if #due == 0 then return 0 end
  redis.call('ZREM', KEYS[space + ORDER], unpack(due))
  redis.call('ZREM', KEYS[space + EXPIRY], unpack(due))
  if redis.call('HDEL', KEYS[space + ROWS], unpack(due)) > 0 then
    redis.call('HINCRBY', KEYS[space + META], 'removed', 1)
  end
  return #due
end

local function settle(space, path)
  local count = redis.call('ZCARD', KEYS[space + ORDER])
  if count == 0 then
    redis.call('DEL', KEYS[space + ORDER], KEYS[space + ROWS], KEYS[space + EXPIRY], KEYS[space + META])
    redis.call('ZREM', KEYS[space], path)
    return
  end
  redis.call('ZADD', KEYS[space], 0, path)
  if redis.call('ZCARD', KEYS[space + EXPIRY]) == count then
    local last = redis.call('ZRANGE', KEYS[space + EXPIRY], -1, -1, 'WITHSCORES')[2]
    for key = ORDER, META do redis.call('PEXPIREAT', KEYS[space + key], last + 60000) end
  elseif redis.call('PTTL', KEYS[space + ORDER]) > 0 then
    for key = ORDER, META do redis.call('PERSIST', KEYS[space + key]) end
  end
end

local function swept(space, path, rounds)
  local total, found = 0, 0
  for _ = 1, rounds do
    found = sweep(space, 500)
    total = total + found
    if found < 500 then break end
  end
  if total > 0 then settle(space, path) end
  return total
end
"""

WRITE = Script(
    _COMMON
    + """
local spaces, claims, writes = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local at = 4 + spaces

for _ = 1, claims do
  local there = head(KEYS[tonumber(ARGV[at])])
  if there and there[4] ~= ARGV[at + 1] then return {1, 0} end
  if not there and ARGV[at + 2] == '1' then return {1, 0} end
  at = at + 3
end

local WIDTH = 9
for w = at, at + (writes - 1) * WIDTH, WIDTH do
  local item, space, dims = KEYS[tonumber(ARGV[w])], tonumber(ARGV[w + 1]), tonumber(ARGV[w + 8])
  if ARGV[w + 6] ~= '-' then
    local there = head(item)
    if there then return {there[5] == ARGV[w + 6] and 0 or 2, 0} end
  end
  if dims > 0 then
    local stored = tonumber(redis.call('HGET', KEYS[space + META], 'dims') or dims)
    if stored ~= dims then return {3, stored} end
  end
end

local last = {}
for w = at, at + (writes - 1) * WIDTH, WIDTH do
  local item, space, key, json = KEYS[tonumber(ARGV[w])], tonumber(ARGV[w + 1]), ARGV[w + 2], ARGV[w + 3]
  local meta, row, dims = KEYS[space + META], ARGV[w + 7], tonumber(ARGV[w + 8])
  local time = math.max(now, (last[space] or tonumber(redis.call('HGET', meta, 'last') or 0)) + 1)
  last[space] = time
  local there = json ~= '' and head(item)
  if json == '' then
    redis.call('DEL', item)
    redis.call('ZREM', KEYS[space + ORDER], key)
    redis.call('ZREM', KEYS[space + EXPIRY], key)
  else
    local ttl = tonumber(ARGV[w + 4])
    local line = (there and there[1] or text(time)) .. ' ' .. text(time) .. ' ' .. ARGV[w + 4] .. ' ' .. ARGV[w + 5] .. ' '
      .. ARGV[w + 6] .. '\\n'
    if ttl > 0 then
      redis.call('SET', item, line .. json, 'PXAT', text(ms + ttl))
      redis.call('ZADD', KEYS[space + EXPIRY], text(ms + ttl), key)
    else
      redis.call('SET', item, line .. json)
      redis.call('ZREM', KEYS[space + EXPIRY], key)
    end
    redis.call('ZADD', KEYS[space + ORDER], '-' .. text(time), key)
    redis.call('HSETNX', meta, 'born', text(time))
  end
  if json ~= '' and row ~= '' then
    redis.call('HSET', KEYS[space + ROWS], key, row)
    if dims > 0 then redis.call('HSET', meta, 'dims', dims) end
  elseif redis.call('HDEL', KEYS[space + ROWS], key) > 0 then
    redis.call('HINCRBY', meta, 'removed', 1)
  end
end

for n = 1, spaces do
  local space = (n - 1) * 5 + 1
  sweep(space, 200)
  if last[space] then redis.call('HSET', KEYS[space + META], 'last', text(last[space])) end
  settle(space, ARGV[3 + n])
end
return {0, 0}
"""
)
"""Writes a batch, or nothing. KEYS: five of each namespace, then one per item. ARGV: numbers of namespaces, claims and
writes; paths; per claim the item's position in KEYS, the holder, whether it must exist; per write the item's and the
namespace's position, key, JSON (empty deletes), ttl in ms, holder, token ("-", or for an item that must not be there, what
this attempt is known by when it is sent again), index row, dimensions of its vectors. Returns {0, 0}, {1, 0} a claim failed,
{2, 0} the item is there already,
{3, dims} the stored vectors have another size."""

REFRESH = Script(
    _COMMON
    + """
for n = 2, #ARGV do
  local item = KEYS[n + 4]
  local there = head(item)
  if there and tonumber(there[3]) > 0 then
    local due = text(ms + tonumber(there[3]))
    redis.call('PEXPIREAT', item, due)
    redis.call('ZADD', KEYS[1 + EXPIRY], 'XX', due, ARGV[n])
  end
end
settle(1, ARGV[1])
"""
)
"""Starts the time to live of items anew. KEYS: five of the namespace, then the items. ARGV: path, then the items' keys."""

SWAP = Script(
    _COMMON
    + """
local done = {}
for n = 1, #KEYS do
  local seen, json, holder = ARGV[n * 3 - 2], ARGV[n * 3 - 1], ARGV[n * 3]
  local held = redis.call('GET', KEYS[n]) or ''
  local there = string.sub(held, (string.find(held, '\\n', 1, true) or 0) + 1)
  done[n] = (there == seen or there == json) and 1 or 0
  if there == seen then
    local line = head(KEYS[n])
    redis.call('SET', KEYS[n], table.concat({line[1], line[2], line[3], holder, line[5]}, ' ') .. '\\n' .. json, 'KEEPTTL')
  end
end
return done
"""
)
"""Puts values in the place of others, and leaves all else. KEYS: the items. ARGV: of each the JSON that was seen, the JSON and
the holder. Returns 1 for each that is there now, else 0."""

PAGE = Script(
    _COMMON
    + """
swept(1, ARGV[1], 20)
return redis.call('ZRANGE', KEYS[1 + ORDER], ARGV[2], ARGV[3], 'WITHSCORES')
"""
)
"""A part of a namespace's order. KEYS: five of the namespace. ARGV: path, first, last."""

CHANGES = Script(
    _COMMON
    + """
swept(1, ARGV[1], 20)
local meta = redis.call('HMGET', KEYS[1 + META], 'born', 'last', 'removed')
if not meta[1] then return {} end
local same = meta[1] == ARGV[2]
local since = same and ARGV[3] or '0'
local removed = meta[3] or '0'
local found = redis.call(
  'ZREVRANGEBYSCORE', KEYS[1 + ORDER], '(-' .. since, '-inf', 'WITHSCORES', 'LIMIT', 0, tonumber(ARGV[5]))
local keys, rows, live = {}, {}, {}
for n = 1, #found, 2 do keys[#keys + 1] = found[n] end
if #keys > 0 then rows = redis.call('HMGET', KEYS[1 + ROWS], unpack(keys)) end
local outdated = same and removed ~= ARGV[4]
if outdated then live = redis.call('HKEYS', KEYS[1 + ROWS]) end
return {meta[1], meta[2], removed, redis.call('HLEN', KEYS[1 + ROWS]), since, found, rows, outdated and 1 or 0, live}
"""
)
"""What changed in a namespace's index rows. KEYS: five of the namespace. ARGV: path, born, since, removed (what the caller
knows), how many at most. Returns nothing for an empty namespace, else born, last, removed, number of rows, since, keys with
scores, their
rows, whether something was removed, and then the keys that have a row."""

SWEEP = Script(_COMMON + "return swept(1, ARGV[1], 1000000)")
"""Takes everything expired out of a namespace. KEYS: five of the namespace. ARGV: path. Returns how many."""

LIVING = Script(
    _COMMON
    + """
local living = {}
for n = 1, #KEYS, 2 do
  local count = redis.call('ZCARD', KEYS[n]) - redis.call('ZCOUNT', KEYS[n + 1], '-inf', ms)
  living[#living + 1] = count > 0 and 1 or 0
end
return living
"""
)
"""Which namespaces hold a living item. KEYS: order and expiry of each."""

ERA = Script("return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')")
"""What this run of the server is called. KEYS: any that it holds."""
