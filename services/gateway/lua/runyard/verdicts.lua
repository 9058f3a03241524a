-- Verdicts: what may be decided of a request, each by a name that is registered here and nowhere else.
--
-- A name is a field in capitals: "no-instance" is verdicts.NO_INSTANCE. One that is not here ends whoever reads it.
local M = {
    -- It goes on: where it is, or in the location that $location names.
    GO = "", ASIDE = "aside",
    -- It waits in runyard.hold, because there is no instance, or because none is free.
    HOLD = "hold", FULL = "full",
    -- It asks how the gateway itself is.
    HEALTHZ = "healthz",
    -- It asks what an instance is told of itself.
    METADATA = "inquiry",
}

-- The answers that the gateway gives itself: their status, and what they tell of it.
local answers = {
    ["unknown-host"] = { 404, "no service answers this host" },
    ["unknown-path"] = { 404, "no service answers this path of the host" },
    ["unclear-path"] = { 400, "the path climbs, or could be read in two ways" },
    ["length-required"] = { 411, "the service limits its requests and takes them unread: they must tell their length" },
    ["request-too-large"] = { 413, "the body is larger than the service takes" },
    ["no-room"] = { 503, "the gateway has no room for the body now" },
    ["response-too-large"] = { 502, "the response is larger than the service may send" },
    ["host-mismatch"] = { 400, "the Host header differs from the host of the request line, or its port is no port" },
    ["unknown-caller"] = { 403, "the address of the caller belongs to no instance" },
    ["public-host"] = { 403, "instances call services as <service>.internal here" },
    ["undeclared-call"] = { 403, "the manifest of the caller does not name this service in runyard.dev/uses" },
    ["stopped"] = { 503, "the service is scaled to 0 instances" },
    ["paused"] = { 503, "the service is paused by hand for a while" },
    ["no-instance"] = { 503, "no instance became ready in time" },
    ["broken"] = { 503, "no instance can be reached; the gateway tries them again from time to time" },
    ["all-busy"] = { 503, "every instance was at its concurrency limit for as long as a request may wait" },
    ["queue-full"] = { 429, "as many requests as may wait for an instance of the service already do" },
    ["instance-failed"] = { 502, "the connection to the instance failed and the request may not be sent again" },
    ["client-limit"] = { 429, "this client asks more often than the service lets one client ask" },
    ["service-limit"] = { 429, "the service is asked more often than its limit of requests a second" },
    ["tenant-limit"] = { 429, "the tenant's services are asked more often than its quota of requests a second" },
    ["concurrency-limit"] = { 429, "the service has as many requests at once as its limit" },
    ["retries-spent"] = { 502, "the connection to the instance failed, and too many requests were sent again already" },
    ["unsound-response"] = { 502, "the instance sent a status that answers no request, or that nobody asked for" },
    ["misdirected"] = { 421, "the connection is for a host of another tenant: its TLS named that one" },
    ["request-timeout"] = { 504, "the request took longer than the service's time" },
    ["instance-timeout"] = { 504, "the instance did not answer in time" },
}

for name in pairs(answers) do
    M[name:upper():gsub("-", "_")] = name
end

-- The status and the text of an answer.
function M.answer(name)
    local found = answers[name] or error("no answer is registered under " .. tostring(name))
    return found[1], found[2]
end

return setmetatable(M, {
    __index = function(_, name)
        error("no verdict is registered as " .. tostring(name), 2)
    end,
})
