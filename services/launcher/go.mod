module runyard.dev/launcher

go 1.24
