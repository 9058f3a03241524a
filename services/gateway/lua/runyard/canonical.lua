-- Canonical: writes what runyard.shape has checked as JSON with its keys sorted and no spaces, so that equal entries
-- are equal texts. cjson would write an empty list as an object, and runyard.contracts would not read that.
local cjson = require "cjson.safe"
local grammar = require "runyard.grammar"

local M = {}

local write

local function write_list(parts, value)
    parts[#parts + 1] = "["
    for index, each in ipairs(value) do
        if index > 1 then
            parts[#parts + 1] = ","
        end
        write(parts, each)
    end
    parts[#parts + 1] = "]"
end

local function write_object(parts, value)
    local names = {}
    for name in pairs(value) do
        names[#names + 1] = name
    end
    table.sort(names)
    parts[#parts + 1] = "{"
    for index, name in ipairs(names) do
        parts[#parts + 1] = (index > 1 and "," or "") .. cjson.encode(name) .. ":"
        write(parts, value[name])
    end
    parts[#parts + 1] = "}"
end

function write(parts, value)
    if getmetatable(value) == grammar.LIST then
        write_list(parts, value)
    elseif type(value) == "table" then
        write_object(parts, value)
    elseif type(value) == "number" then
        -- All are whole; cjson would round beyond 14 digits.
        parts[#parts + 1] = ("%d"):format(value)
    else
        parts[#parts + 1] = cjson.encode(value)
    end
end

-- The text of a value.
function M.encode(value)
    local parts = {}
    write(parts, value)
    return table.concat(parts)
end

return M
