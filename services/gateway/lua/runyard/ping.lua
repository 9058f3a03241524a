-- Ping: asks an instance whether it answers at all, without risking a client's request on it.
local inflight = require "runyard.inflight"

local M = {}

-- A process that is not stopped answers from its event loop; longer than this, in seconds, is a hang to whoever waits
-- for it.
local TIMEOUT_S = 1
-- `OPTIONS *` is HTTP's own ping (RFC 9110, 9.3.7). To HTTP/2, whose server has to speak first, the client's preface is
-- (RFC 9113, 3.4).
local HTTP1 = "OPTIONS * HTTP/1.1\r\nHost: gateway.internal\r\nUser-Agent: runyard-gateway\r\nConnection: close\r\n\r\n"
local HTTP2 = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"

local function ask(ip, port, protocol, timeout_s)
    local socket = ngx.socket.tcp()
    socket:settimeout(timeout_s * 1000)
    if not socket:connect(ip, port) then
        return false
    end
    local sent = socket:send(protocol == "h2c" and HTTP2 or HTTP1)
    local byte, failure
    if sent then
        byte, failure = socket:receive(1)
    end
    socket:close()
    return byte ~= nil or failure == "closed"
end

-- Whether the instance says anything within a second, or what its service's time leaves for it; what it says does not
-- matter, nor that it hangs up. Nil when it has as many requests as it takes: to it a ping is one more.
function M.ask(endpoint)
    local address, group = endpoint.address, endpoint.group
    if not inflight.take(address, group.limit) then
        return nil
    end
    local done, answered = pcall(ask, endpoint.ip, endpoint.port, group.protocol, endpoint.patience_s or TIMEOUT_S)
    inflight.give(address)
    if not done then
        error(answered, 0)
    end
    return answered
end

return M
