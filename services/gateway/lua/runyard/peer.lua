-- Peer: tells nginx the instance that the current try goes to.
--
-- ngx.balancer reads an address anew each time, for which nginx needs as long as for the rest of the choice. What it
-- made of one the first time is copied here, and after that nginx's note of its choice is turned to the copy. Copies
-- are kept for good: a request may go on when its instance is forgotten, and a host has only so many addresses.
local ffi = require "ffi"
local layout = require "runyard.layout"
local usual = require "ngx.balancer"

local M = {}

local IPV4, IPV4_BYTES = 2, 16  -- AF_INET, and the size of its sockaddr_in

local copies = {}  -- by address
local may_learn = true

-- What nginx has noted as its choice for this request, or nil where it is not as it is known.
local function choice_of(request)
    local keeper = request.upstream.keeper
    local choice = keeper ~= nil and keeper.choice or nil
    return choice ~= nil and choice.request == request and choice or nil
end

-- Whether this is what nginx makes of an endpoint's address.
local function is_of(choice, endpoint)
    if choice.address_length ~= IPV4_BYTES or choice.name.length ~= #endpoint.address then
        return false
    end
    local made = ffi.cast("const uint8_t *", choice.address)
    local family, port = made[0] + made[1] * 256, made[2] * 256 + made[3]
    return family == IPV4 and port == endpoint.port
        and ffi.string(choice.name.bytes, choice.name.length) == endpoint.address
end

-- Copies what nginx has just made of an address, if that is where and what it should be.
local function learn(endpoint)
    local choice = choice_of(layout.current())
    if not choice then
        ngx.log(ngx.ERR, "this nginx keeps its choice of an instance elsewhere: each address is read anew")
        may_learn = false
    end
    if not choice or not is_of(choice, endpoint) then
        return
    end
    -- The text is Lua's own, which stays where it is as long as it is a key here. A copy made by ffi.new would have to
    -- be a byte longer than the text: LuaJIT ends it with a zero, over whatever lies behind it.
    local name = endpoint.address
    local copy = { address = ffi.new("uint8_t[?]", IPV4_BYTES), name = ffi.new("runyard_text", #name, name) }
    ffi.copy(copy.address, choice.address, IPV4_BYTES)
    copies[name] = copy
end

-- Has the current try go to this endpoint; nil and what is wrong when nginx cannot read its address.
function M.choose(endpoint)
    local copy = copies[endpoint.address]
    local choice = copy and choice_of(layout.current())
    if choice then
        choice.address, choice.address_length, choice.name = copy.address, IPV4_BYTES, copy.name
        return true
    end
    local done, failure = usual.set_current_peer(endpoint.ip, endpoint.port)
    if done and not copy and may_learn then
        learn(endpoint)
    end
    return done, failure
end

return M
