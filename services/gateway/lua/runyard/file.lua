-- File: a small file that is either the old one or the new one, never half of it.
local ffi = require "ffi"

ffi.cdef [[
    int open(const char *path, int flags, ...);
    int fsync(int fd);
    int close(int fd);
    int rename(const char *from, const char *to);
    int unlink(const char *path);
    int mkdir(const char *path, unsigned int mode);
    ssize_t write(int fd, const void *data, size_t size);
    char *strerror(int number);
]]

local C = ffi.C
-- O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC of Linux on x86-64 and arm64.
local WRITE_FLAGS = 0x1 + 0x40 + 0x200 + 0x80000
-- Readable to all: the master reads the snapshot as root without CAP_DAC_OVERRIDE, and it holds no secret.
local MODE = 420  -- 0644
local DIRECTORY_MODE = 448  -- 0700
local NO_SUCH_FILE, EXISTS = 2, 17

local M = {}

local function reason(what, path)
    return what .. " " .. path .. ": " .. ffi.string(C.strerror(ffi.errno()))
end

local function write_all(descriptor, body)
    local sent = 0
    while sent < #body do
        local count = C.write(descriptor, ffi.cast("const char *", body) + sent, #body - sent)
        if count < 0 then
            return false
        end
        sent = sent + tonumber(count)
    end
    return C.fsync(descriptor) == 0
end

-- Makes a directory for this user alone, unless it is there; returns what went wrong, or nil.
function M.make_directory(path)
    if C.mkdir(path, DIRECTORY_MODE) ~= 0 and ffi.errno() ~= EXISTS then
        return reason("make directory", path)
    end
    return nil
end

-- Removes the file, if it is there; returns what went wrong, or nil.
function M.remove(path)
    if C.unlink(path) ~= 0 and ffi.errno() ~= NO_SUCH_FILE then
        return reason("remove", path)
    end
    return nil
end

-- Replaces the file (`mode` is for one that holds a secret); returns what went wrong, or nil. The name of the temporary
-- file is fixed: one writer at a time (runyard.admin holds a lock), so what a killed one left behind is overwritten and
-- never piles up.
function M.write(path, body, mode)
    local temporary = path .. ".new"
    local descriptor = C.open(temporary, WRITE_FLAGS, ffi.cast("int", mode or MODE))
    if descriptor < 0 then
        return reason("open", temporary)
    end
    local failure = not write_all(descriptor, body) and reason("write", temporary) or nil
    C.close(descriptor)
    if failure then
        return failure
    end
    if C.rename(temporary, path) ~= 0 then
        return reason("rename", temporary)
    end
    return nil
end

-- Reads the whole file; nil and nil when there is none, nil and the reason when it cannot be read.
function M.read(path)
    local handle, failure, number = io.open(path, "rb")
    if not handle then
        return nil, number ~= NO_SUCH_FILE and ("open " .. failure) or nil
    end
    local body, trouble = handle:read("*a")
    handle:close()
    return body, not body and ("read " .. path .. ": " .. tostring(trouble)) or nil
end

return M
