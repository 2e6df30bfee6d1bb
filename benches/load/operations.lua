-- Sends the requests of a file, one after the other: METHOD, path, token and body on each line, separated by tabs.
-- Arguments after `--`: file, requests a second of each connection (0: as fast as answers come), "once" or "again".
-- The threads share the file's lines without taking one twice; with "again" they start over at the end.

local threads = 0

function setup(thread)
    thread:set("first", threads)
    threads = threads + 1
    thread:set("of", 2)
end

function init(args)
    lines, pause, again = {}, 0, args[3] == "again"
    local number = 0
    for line in io.lines(args[1]) do
        if number % of == first then
            lines[#lines + 1] = line
        end
        number = number + 1
    end
    if tonumber(args[2]) > 0 then
        pause = math.floor(1000 / tonumber(args[2]))
    end
    at, counts = 0, {}
end

function delay()
    return pause
end

function request()
    at = at + 1
    local line = lines[at]
    if line == nil then
        if not again then
            -- Nothing is left: an address that costs next to nothing, told apart from the work by its own count.
            idle = (idle or 0) + 1
            return wrk.format("GET", "/livez")
        end
        at = 1
        line = lines[at]
    end
    local method, path, token, body = line:match("([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)")
    local headers = { ["Authorization"] = "Bearer " .. token }
    if body ~= "" then
        headers["Content-Type"] = "application/json"
    end
    if method == "PATCH" or path:match("/submit$") then
        headers["If-Match"] = "*"
    end
    return wrk.format(method, path, headers, body ~= "" and body or nil)
end

function response(status)
    counts[status] = (counts[status] or 0) + 1
end

local workers = {}
local plain_setup = setup
function setup(thread)
    plain_setup(thread)
    workers[#workers + 1] = thread
end

function done(summary, latency)
    local statuses, idle = {}, 0
    for _, thread in ipairs(workers) do
        for status, count in pairs(thread:get("counts")) do
            statuses[status] = (statuses[status] or 0) + count
        end
        idle = idle + (thread:get("idle") or 0)
    end
    local text = {}
    for status, count in pairs(statuses) do
        text[#text + 1] = string.format('"%d": %d', status, count)
    end
    io.write(string.format(
        'RESULT {"requests": %d, "idle": %d, "seconds": %f, "p50_us": %d, "p99_us": %d, "max_us": %d, "errors": %d, "statuses": {%s}}\n',
        summary.requests, idle, summary.duration / 1e6, latency:percentile(50), latency:percentile(99), latency.max,
        summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
        table.concat(text, ", ")))
end
