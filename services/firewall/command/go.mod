module runyard.dev/firewall

go 1.24
