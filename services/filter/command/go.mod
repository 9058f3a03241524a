module runyard.dev/filter

go 1.24
