-- JWT: a signed token (RFC 7519) of claims, by ECDSA on P-256 with SHA-256 (ES256; RFC 7518, 3.4).
local cjson = require "cjson.safe"
local ffi = require "ffi"
local ssl = require "ngx.ssl"

-- Of libcrypto, which nginx is linked with; ngx.ssl gives a key as its EVP_PKEY.
ffi.cdef [[
    void *EVP_MD_CTX_new(void);
    void EVP_MD_CTX_free(void *context);
    const void *EVP_sha256(void);
    int EVP_DigestSignInit(void *context, void **key_context, const void *digest, void *engine, void *key);
    int EVP_DigestSign(void *context, unsigned char *signature, size_t *size, const unsigned char *data, size_t length);
    void ERR_clear_error(void);
]]

local C = ffi.C
-- A signature in DER: two numbers of at most 33 bytes with a head of two each, in a sequence with one of two.
local MOST_DER_BYTES = 72
local NUMBER_BYTES = 32
local NUMBER = 0x02

local M = {}

-- The alphabet of URLs, without padding (RFC 4648, 5).
local function base64url(text)
    return (ngx.encode_base64(text, true):gsub("[+/]", { ["+"] = "-", ["/"] = "_" }))
end

-- The number that begins at this place of a signature in DER, as 32 bytes, and the place behind it; nil for none.
local function number_at(der, place)
    local kind, size = der:byte(place, place + 1)
    if kind ~= NUMBER or place + 1 + size > #der then
        return nil
    end
    -- DER puts a zero before a number whose first bit is set, and leaves zeros away that are not needed.
    local digits = der:sub(place + 2, place + 1 + size):gsub("^%z+", "")
    if #digits > NUMBER_BYTES then
        return nil
    end
    return ("\0"):rep(NUMBER_BYTES - #digits) .. digits, place + 2 + size
end

-- JOSE joins the two numbers of a signature, which OpenSSL writes as DER; nil for what is none of P-256.
local function join(der)
    local first, place = number_at(der, 3)
    local second = first and number_at(der, place)
    return second and first .. second
end

local function sign(key, text)
    local context, size, bytes = C.EVP_MD_CTX_new(), ffi.new("size_t[1]", MOST_DER_BYTES), nil
    local buffer = ffi.new("unsigned char[?]", MOST_DER_BYTES)
    if context ~= nil and C.EVP_DigestSignInit(context, nil, C.EVP_sha256(), nil, key) == 1
        and C.EVP_DigestSign(context, buffer, size, text, #text) == 1 then
        bytes = ffi.string(buffer, size[0])
    end
    C.EVP_MD_CTX_free(context)
    -- What OpenSSL left of a failure in its queue would be taken for that of a connection.
    C.ERR_clear_error()
    return bytes and join(bytes)
end

-- Reads a private key from PEM; returns it for M.sign, or nil and what is wrong with it.
function M.parse_key(pem)
    local key, failure = ssl.parse_pem_priv_key(pem)
    C.ERR_clear_error()
    if not key then
        return nil, failure
    end
    if not sign(key, "") then
        return nil, "it is no key of P-256"
    end
    return key
end

-- The token of these claims, which names its key; nil when it could not be signed.
function M.sign(key, kid, claims)
    local head = cjson.encode({ alg = "ES256", kid = kid, typ = "JWT" })
    local text = base64url(head) .. "." .. base64url(cjson.encode(claims))
    local signature = sign(key, text)
    return signature and text .. "." .. base64url(signature)
end

return M
