module runyard.dev/workload

go 1.24
