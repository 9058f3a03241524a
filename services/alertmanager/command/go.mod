module runyard.dev/alertmanager

go 1.24
