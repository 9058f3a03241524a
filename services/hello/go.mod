module runyard.dev/hello

go 1.24
