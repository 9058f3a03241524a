module runyard.dev/gateway

go 1.24
