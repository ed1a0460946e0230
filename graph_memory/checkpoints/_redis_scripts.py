"""The Lua scripts of the Redis checkpointer: what must happen at once. Every key that a script touches is named in KEYS.

KEYS of each: threads (a sorted set of a bucket: thread by when it expires), runs (a sorted set of a bucket: which run wrote
in which thread), and of one thread: order (a sorted set of its checkpoints, in the order of their names), heads, bodies and
blobs (hashes), writes (a hash) and tasks (a sorted set of the names of those writes). A head is JSON that scripts read:
parent `p`, run `r`, and `f`, channel to the name of its blob.
"""

from __future__ import annotations

from graph_memory.redis_rounds import Script

_COMMON = """
local THREADS, RUNS, ORDER, HEADS, BODIES, BLOBS, WRITES, TASKS = unpack(KEYS)

local function touch(thread, ttl)
  local clock = redis.call('TIME')
  local ms = clock[1] * 1000 + math.floor(clock[2] / 1000)
  redis.call('ZREMRANGEBYSCORE', THREADS, '-inf', ms)
  if ttl > 0 then
    redis.call('ZADD', THREADS, ms + ttl, thread)
    for key = 3, 8 do redis.call('PEXPIRE', KEYS[key], ttl) end
    for _, run in ipairs(redis.call('ZRANDMEMBER', RUNS, 2)) do
      if not redis.call('ZSCORE', THREADS, string.match(run, '\\31(.*)$')) then redis.call('ZREM', RUNS, run) end
    end
  else
    redis.call('ZADD', THREADS, '+inf', thread)
    if redis.call('PTTL', ORDER) > 0 or redis.call('PTTL', WRITES) > 0 then
      for key = 3, 8 do redis.call('PERSIST', KEYS[key]) end
    end
  end
end

local function fields(checkpoint)
  return redis.call('ZRANGEBYLEX', TASKS, '[' .. checkpoint .. '\\31', '(' .. checkpoint .. '\\32')
end

local function pairs_of(key, names)
  local found = {}
  for first = 1, #names, 1000 do
    local some = {unpack(names, first, math.min(first + 999, #names))}
    for n, value in ipairs(redis.call('HMGET', key, unpack(some))) do
      if value then
        found[#found + 1] = some[n]
        found[#found + 1] = value
      end
    end
  end
  return found
end
"""

PUT = Script(
    _COMMON
    + """
redis.call('HSET', HEADS, ARGV[3], ARGV[4])
redis.call('HSET', BODIES, ARGV[3], ARGV[5])
for n = 7, #ARGV, 2 do redis.call('HSET', BLOBS, ARGV[n], ARGV[n + 1]) end
redis.call('ZADD', ORDER, 0, ARGV[3])
if ARGV[6] ~= '' then redis.call('ZADD', RUNS, 0, ARGV[6]) end
touch(ARGV[1], tonumber(ARGV[2]))
"""
)
"""Keeps a checkpoint. ARGV: thread, ttl in ms (0 keeps it), checkpoint, head, body, run (or empty), then blobs by name."""

WRITE = Script(
    _COMMON
    + """
for n = 3, #ARGV, 3 do
  redis.call(ARGV[n + 1] == '1' and 'HSET' or 'HSETNX', WRITES, ARGV[n], ARGV[n + 2])
  redis.call('ZADD', TASKS, 0, ARGV[n])
end
touch(ARGV[1], tonumber(ARGV[2]))
"""
)
"""Keeps a task's writes. ARGV: thread, ttl in ms, then per write its name, whether it replaces one that is there, and its
value."""

READ = Script(
    _COMMON
    + """
local wanted = ARGV
if ARGV[1] == 'latest' then wanted = redis.call('ZREVRANGEBYLEX', ORDER, ARGV[3], ARGV[2], 'LIMIT', 0, 1) end
local found = {}
for _, checkpoint in ipairs(wanted) do
  local head = redis.call('HGET', HEADS, checkpoint)
  if head then
    local names = {}
    for _, name in pairs(cjson.decode(head).f) do names[#names + 1] = name end
    found[#found + 1] = {
      checkpoint, head, redis.call('HGET', BODIES, checkpoint), pairs_of(BLOBS, names), pairs_of(WRITES, fields(checkpoint))}
  end
end
return found
"""
)
"""Checkpoints with their blobs and writes. ARGV: checkpoints; or "latest" and the range to look in. Returns of each: its
name, head,
body, blobs by name, writes by name."""

HISTORY = Script(
    _COMMON
    + """
local wanted, left, steps, seeds = {}, 0, {}, {}
for n = 2, #ARGV do
  wanted[ARGV[n]] = true
  left = left + 1
end
local head = redis.call('HGET', HEADS, ARGV[1])
local space = string.match(ARGV[1], '^[^\\31]*\\31')
local parent = head and cjson.decode(head).p
while parent and left > 0 do
  local checkpoint = space .. parent
  head = redis.call('HGET', HEADS, checkpoint)
  if not head then break end
  head = cjson.decode(head)
  steps[#steps + 1] = pairs_of(WRITES, fields(checkpoint))
  local found = {}
  for channel in pairs(wanted) do
    local blob = head.f[channel] and redis.call('HGET', BLOBS, head.f[channel])
    if blob then found[channel] = blob end
  end
  for channel, blob in pairs(found) do
    wanted[channel] = nil
    left = left - 1
    seeds[#seeds + 1] = {channel, #steps, blob}
  end
  parent = head.p
end
return {steps, seeds}
"""
)
"""What channels are made of. ARGV: checkpoint, channels. Returns the writes of its ancestors, newest first, and per channel whose
value some ancestor has: the channel, how many ancestors that took, the value."""

DROP = Script(
    _COMMON
    + """
local gone, count = {}, tonumber(ARGV[2])
for n = 3, 2 + count do
  local checkpoint = ARGV[n]
  local head = redis.call('HGET', HEADS, checkpoint)
  if head then
    local run = cjson.decode(head).r
    if run then gone[run] = true end
  end
  redis.call('ZREM', ORDER, checkpoint)
  redis.call('HDEL', HEADS, checkpoint)
  redis.call('HDEL', BODIES, checkpoint)
  for _, name in ipairs(fields(checkpoint)) do
    redis.call('HDEL', WRITES, name)
    redis.call('ZREM', TASKS, name)
  end
end
for n = 3 + count, #ARGV, 2 do
  if redis.call('HEXISTS', HEADS, ARGV[n]) == 1 then redis.call('HSET', HEADS, ARGV[n], ARGV[n + 1]) end
end
local used = {}
for _, head in ipairs(redis.call('HVALS', HEADS)) do
  head = cjson.decode(head)
  if head.r then gone[head.r] = nil end
  for _, name in pairs(head.f) do used[name] = true end
end
for _, name in ipairs(redis.call('HKEYS', BLOBS)) do
  if not used[name] then redis.call('HDEL', BLOBS, name) end
end
for run in pairs(gone) do redis.call('ZREM', RUNS, run .. '\\31' .. ARGV[1]) end
if redis.call('EXISTS', ORDER, WRITES) == 0 then redis.call('ZREM', THREADS, ARGV[1]) end
"""
)
"""Deletes checkpoints with their writes, and the blobs that no other needs. ARGV: thread, number of checkpoints, these, then
checkpoints with the heads that they get."""

FORGET = Script(
    _COMMON
    + """
for _, head in ipairs(redis.call('HVALS', HEADS)) do
  local run = cjson.decode(head).r
  if run then redis.call('ZREM', RUNS, run .. '\\31' .. ARGV[1]) end
end
redis.call('DEL', ORDER, HEADS, BODIES, BLOBS, WRITES, TASKS)
redis.call('ZREM', THREADS, ARGV[1])
"""
)
"""Deletes a thread. ARGV: thread."""

DUMP = Script(
    _COMMON
    + """
local dumps = {}
for key = 3, 8 do dumps[#dumps + 1] = redis.call('DUMP', KEYS[key]) or '' end
return {dumps, redis.call('HVALS', HEADS)}
"""
)
"""All of a thread, as RESTORE takes it, and its heads."""

RESTORE = Script(
    _COMMON
    + """
for key = 3, 8 do
  redis.call('DEL', KEYS[key])
  if ARGV[key] ~= '' then redis.call('RESTORE', KEYS[key], 0, ARGV[key]) end
end
for n = 9, #ARGV do redis.call('ZADD', RUNS, 0, ARGV[n]) end
touch(ARGV[1], tonumber(ARGV[2]))
"""
)
"""Makes a thread what was dumped. ARGV: thread, ttl in ms, six dumps, then the runs that wrote in it."""
